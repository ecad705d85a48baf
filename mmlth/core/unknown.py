"""What stands for what is not read from a file."""
from typing import Any


class Unknown:
    """What stands for a name that is not in the table, and for everything made of it.

    Args:
        name: E.g. ``'os.system'``.
        made: Whether it is an object made of the name, not the name itself (a class or function,
            of which a file holds nothing but the name). Default: False.
    """
    __slots__ = ('__name__', 'made')

    def __init__(self, name: str, made: bool = False):
        self.__name__ = name
        self.made = made

    def __call__(self, *args: Any) -> 'Unknown':
        return Unknown(self.__name__, made=True)

    def __setitem__(self, key: Any, value: Any) -> None:
        """What a dict of a class of its own is filled with."""

    def append(self, value: Any) -> None:
        """What a list of a class of its own is filled with."""

    def __repr__(self) -> str:
        return f'{self.__name__}{" object" if self.made else ""}'
