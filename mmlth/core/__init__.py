"""The lottery ticket method in plain PyTorch: no mm* package is imported here."""
from .allocation import unpatterned
from .binding import MaskBinding
from .control import CONTROLS, control_mask
from .mask import draw
from .probe import Probe
from .report import sparsity_report
from .schedule import round_sparsities
from .scope import available_groups, prunable, select, transposed
from .scores import default_iterations
from .selection import Scores, keep_highest
from .state import snapshot
from .ticket import Ticket

__all__ = [
    'CONTROLS', 'MaskBinding', 'Probe', 'Scores', 'Ticket', 'available_groups',
    'control_mask', 'default_iterations', 'draw', 'keep_highest', 'prunable',
    'round_sparsities', 'select', 'snapshot', 'sparsity_report', 'transposed', 'unpatterned',
]
