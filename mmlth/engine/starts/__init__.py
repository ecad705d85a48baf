"""What a ticket starts from: one class each."""
from .controls import ControlStart, Fresh, TrainedOn, start_of_control
from .find import kind_of, noted_start, start_kinds, start_of
from .rewound import Rewound
from .signs import Signs
from .start import Start, State
from .trained import Finetuned, Trained

__all__ = ['ControlStart', 'Finetuned', 'Fresh', 'Rewound', 'Signs', 'Start', 'State', 'Trained',
           'TrainedOn', 'kind_of', 'noted_start', 'start_kinds', 'start_of', 'start_of_control']
