"""The lottery ticket method in plain PyTorch: no mm* package is imported here."""
from .binding import MaskBinding
from .counts import sparsity_report
from .drawing.allocation import Allocation, allocation
from .drawing.control import CONTROLS, Control, control_mask
from .drawing.draw import Drawing, draw
from .drawing.score import Score, Scores, score
from .drawing.selection import keep_highest
from .layers import Layer, layers_of
from .probe import Probe, mean_gradient
from .schedule import round_sparsities
from .scope import Scope, available_groups, prunable, select
from .state import snapshot
from .ticket import Ticket

__all__ = [
    'Allocation', 'CONTROLS', 'Control', 'Drawing', 'Layer', 'MaskBinding', 'Probe', 'Scope',
    'Score', 'Scores', 'Ticket', 'allocation', 'available_groups', 'control_mask', 'draw',
    'keep_highest', 'layers_of', 'mean_gradient', 'prunable', 'round_sparsities', 'score',
    'select', 'snapshot', 'sparsity_report',
]
