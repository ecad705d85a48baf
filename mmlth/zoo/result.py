"""What is known of one config after its check."""
import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import List

PASSED = 'passed'
FAILED = 'failed'
REFUSED = 'refused'         # several optimizers, to which a ticket cannot be bound
NOT_TRAINED = 'not trained'     # stock itself has no training for it, so no lottery either
NOT_BUILT = 'not built'     # stock cannot read it or build its model here
NO_MODEL = 'no model'       # a part of other configs, or no config at all


@dataclass
class Result:
    """The outcome for one config.

    Args:
        library: ``'mmdet'`` or ``'mmpose'``.
        name: The config's path within the library's configs.
        status: One of the constants of this module.
        reason: Why it is not ``PASSED``, one line.
        checked: The config whose ticket was drawn and bound, this one or one with an equal
            network and optimizer.
        signature: Of the network and the optimizer; empty where it was not built.
        scope_weights: Weights in scope.
        network_weights: All parameters.
        in_scope: The kinds of weights in scope, as ``Linear.weight``.
        left_out: The kinds of matrices and higher tensors that are not.
        seconds: What the check of ``checked`` took.
    """
    library: str
    name: str
    status: str
    reason: str = ''
    checked: str = ''
    signature: str = ''
    scope_weights: int = 0
    network_weights: int = 0
    in_scope: List[str] = field(default_factory=list)
    left_out: List[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def family(self) -> str:
        """The folder: the algorithm's in mmdet, ``task/algorithm`` in mmpose."""
        return '/'.join(self.name.split('/')[:1 if self.library == 'mmdet' else 2])

    @property
    def kind(self) -> str:
        """The reason without what is particular to this config, to group by."""
        text = re.sub(r'[\w./-]*/([\w.-]+\.py)', r'\1', self.reason)
        return re.sub(r'^class `?\w+`? in \S+: ', '', text)


def reason_of(error: BaseException) -> str:
    """The error that lies at the bottom, on one line of at most 300 characters."""
    while error.__cause__ is not None:
        error = error.__cause__
    # A KeyError shows its message in quotes.
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = ' '.join(str(message).split())
    # mmengine wraps an error once for each level of the model.
    text = re.sub(r"""^(["']?class `\w+` in [\w./]+: )+""", '', text)
    return f'{type(error).__name__}: {text}'[:300]


def place_of(error: BaseException) -> str:
    """Where it was raised, as ``file.py:line``."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f'{Path(frame.filename).name}:{frame.lineno}'
