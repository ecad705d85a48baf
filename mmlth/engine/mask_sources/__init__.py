"""Where the mask of a ticket comes from: one class each."""
from .controlled import Controlled
from .drawn import Drawn, DrawnAtStart
from .found_early import FoundEarly
from .full import Full
from .source import MaskSource
from .transferred import Transferred, TransferSpec

__all__ = ['Controlled', 'Drawn', 'DrawnAtStart', 'FoundEarly', 'Full', 'MaskSource',
           'TransferSpec', 'Transferred']
