"""The lottery ticket method in plain PyTorch: no mm* package is imported here."""
from .binding import MaskBinding
from .counts import sparsity_report
from .drawing.control import CONTROLS, control_mask
from .drawing.draw import draw
from .drawing.pattern import unpatterned
from .drawing.score import Scores
from .drawing.scores import default_iterations
from .drawing.selection import keep_highest
from .layers import transposed
from .probe import Probe
from .schedule import round_sparsities
from .scope import available_groups, prunable, select
from .state import snapshot
from .ticket import Ticket

__all__ = [
    'CONTROLS', 'MaskBinding', 'Probe', 'Scores', 'Ticket', 'available_groups',
    'control_mask', 'default_iterations', 'draw', 'keep_highest', 'prunable',
    'round_sparsities', 'select', 'snapshot', 'sparsity_report', 'transposed', 'unpatterned',
]
