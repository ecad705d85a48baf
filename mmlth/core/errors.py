"""What the user can mend."""
from typing import Any


class UserError(ValueError):
    """A mistake in a config, a command or a file.

    The message says what was expected, what came, and what to do; the tools print it
    without a traceback.
    """


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise a UserError unless ``value`` is a whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f'{name}: expected a whole number, at least {least}, got {value!r}')
