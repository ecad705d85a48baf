"""What an EarlyBirdHook is set to."""
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from mmlth.core.errors import UserError

from ..early_bird import check_stop


@dataclass(frozen=True)
class EarlyBirdSpec:
    """What an EarlyBirdHook is set to; its arguments say what each means."""
    interval: int
    stop: Optional[Mapping[str, Any]]

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> 'EarlyBirdSpec':
        """Check the hook's arguments.

        Raises:
            UserError: One is out of range or of no known form.
        """
        interval, stop = given['interval'], given['stop']
        if not isinstance(interval, int) or interval < 1:
            raise UserError(
                f'EarlyBirdHook: interval must be a number of iterations, got {interval!r}')
        if stop is not None:
            check_stop(stop)
        return cls(interval, stop)
