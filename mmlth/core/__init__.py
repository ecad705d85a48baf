"""The lottery ticket method in plain PyTorch: no mm* package is imported here."""
from .binding import MaskBinding
from .mask import draw
from .report import sparsity_report
from .schedule import round_sparsities
from .scope import available_groups, prunable, select
from .selection import Scores, keep_highest
from .state import snapshot
from .ticket import Ticket

__all__ = [
    'MaskBinding', 'Scores', 'Ticket', 'available_groups', 'draw', 'keep_highest',
    'prunable', 'round_sparsities', 'select', 'snapshot', 'sparsity_report',
]
