"""One part that fails must not cost the others: what is left out, and why."""
import sys
import traceback
from typing import Any, Callable, Dict, Optional

from mmlth.core.errors import UserError


class Guard:
    """Runs the parts of something larger, and notes those that give nothing.

    ``skipped`` says of which there is nothing to show, ``failed`` which have raised anything but a
    UserError: name -> reason. An error of the program is not hidden: its traceback is printed, and
    its type is part of the reason.

    Args:
        say: Told what has failed. Default: print.
    """

    def __init__(self, say: Callable[[str], None] = print):
        self.skipped: Dict[str, str] = {}
        self.failed: Dict[str, str] = {}
        self._say = say

    def run(self, name: str, part: Callable[[], Any]) -> Optional[Any]:
        """What ``part`` returns; None if it raises."""
        try:
            return part()
        except UserError as error:
            self.skipped[name] = str(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.failed[name] = reason_of(error)
            self._say(f'{name}: left out, for it failed: {self.failed[name]}')
        return None

    def text(self) -> str:
        """What has failed, in a sentence; empty if nothing has."""
        failed = '; '.join(f'{name} ({why})' for name, why in self.failed.items())
        return f'Left out, for it failed: {failed}.' if failed else ''


def reason_of(error: BaseException) -> str:
    """An error's type and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[0]:.200}' if lines else type(error).__name__
