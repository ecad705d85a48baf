"""Starts by what a RewindHook's ``mode`` says."""
import inspect
import json
from typing import Any, Iterator, List, Mapping, Optional, Type

from mmlth.core.drawing.control import CONTROLS
from mmlth.core.errors import UserError
from mmlth.registry import STARTS, find, noted, path_of, written

from .controls import start_of_control
from .start import Start
from .trained import Trained


def start_of(mode: Any, length: Optional[str] = None) -> Start:
    """The start that a ``mode`` names.

    Args:
        mode: A name in ``mmlth.registry.STARTS``, a class's dotted path, or a dict of its
            ``type`` and arguments.
        length: An argument of those that have one. Default: None.

    Raises:
        UserError: There is none, or it has other arguments.
    """
    given = dict(mode) if isinstance(mode, Mapping) else dict(type=mode)
    kind = find(STARTS, given.get('type'))
    if not inspect.isclass(kind) or not issubclass(kind, Start):
        raise UserError(f'RewindHook: mode={mode!r} is no {Start.__module__}.{Start.__name__}')
    if length is not None:
        if 'length' not in inspect.signature(kind).parameters:
            raise UserError(f'RewindHook: mode={mode!r} takes no length, got {length!r}')
        given['length'] = length
    start = find(STARTS, given)
    if kind.weights not in (Start.weights, Trained.weights):
        try:
            start.given = json.loads(json.dumps(written(STARTS, given)))
        except TypeError as error:
            raise UserError(f'RewindHook: mode={mode!r} has an argument that no ticket can note: '
                            f'{error}. Give it numbers, texts, lists and dicts of them') from None
    return start


def noted_start(given: Mapping[str, Any]) -> Optional[Start]:
    """The start that a ticket was drawn for; None where it is not here. Nothing is imported.

    Args:
        given: What the ticket notes: :attr:`Start.given`.
    """
    kind = kind_of(given)
    if kind is None:
        return None
    try:
        return kind(**{key: value for key, value in given.items() if key != 'type'})
    except (TypeError, UserError):      # another version's
        return None


def kind_of(mode: Any) -> Optional[Type[Start]]:
    """The class that a ``mode`` named where it was trained; None if it is not here.

    Nothing is imported for it: it is registered, or named with its module, which is loaded.
    """
    path = path_of(mode)
    return noted(STARTS, mode) or next(
        (kind for kind in _below(Start) if f'{kind.__module__}.{kind.__name__}' == path), None)


def _below(kind: Type[Start]) -> Iterator[Type[Start]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _below(inner)


def start_kinds(mode: Any, control: Optional[str], round: int,
                last: int) -> List[Optional[Type[Start]]]:
    """The classes of what a round starts from, by settings: a ticket's, and the control's if any.

    None for one that is not here, of which nothing is known.

    Args:
        mode: Of the RewindHook.
        control: Of the PruneHook.
        round: From 1.
        last: The last round.
    """
    kinds = [kind_of(mode)]
    known = CONTROLS.get(str(control))
    own = start_of_control(known)
    if known is not None and own is not None and (round == last or known.every_round):
        kinds.append(own)
    return kinds
