"""Tickets of one model used for another: ImageNet to detectors, task to task (the paper, 4.2)."""
from .mapping import MAPPINGS, match_names
from .outcome import Outcome
from .source import Source, read_source
from .transfer import transfer

__all__ = ['MAPPINGS', 'Outcome', 'Source', 'match_names', 'read_source', 'transfer']
