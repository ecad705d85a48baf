"""What a RewindHook is set to."""
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration
from mmlth.registry import STARTS, written

from ..starts import Start, start_of


@dataclass(frozen=True)
class RewindSpec:
    """What a RewindHook is set to; its arguments say what each means.

    Args:
        mode: What names the start, its ``length`` included, for another hook's arguments.
    """
    to: str
    mode: Any
    start: Start
    schedule: str
    random_state: bool
    noise: Optional[int]
    point: Optional[str]

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> 'RewindSpec':
        """Check the hook's arguments.

        Raises:
            UserError: One is none of those that there are, or two contradict each other.
        """
        schedule, to, mode = given['schedule'], given['to'], given['mode']
        start = start_of(mode, given['length'])
        if given['length'] is not None:
            mode = {**(mode if isinstance(mode, Mapping) else dict(type=mode)),
                    'length': given['length']}
        if schedule not in ('restart', 'resume'):
            raise UserError(
                f"RewindHook: schedule must be 'restart' or 'resume', got {schedule!r}")
        noise = given['noise']
        if noise is not None and (not isinstance(noise, int) or isinstance(noise, bool)
                                  or noise < 0):
            raise UserError('RewindHook: noise must be None or the number of a noise, 0, 1, 2, '
                            f'..., got {noise!r}')
        rewind_iteration(to, max_iters=2**62, iters_per_epoch=1)    # its form
        return cls(to, written(STARTS, mode), start, schedule, given['random_state'],
                   noise, given['point'])

    @property
    def resumes(self) -> bool:
        """Whether a ticket's training goes on from the rewind point."""
        return self.schedule == 'resume' and self.start.resumes
