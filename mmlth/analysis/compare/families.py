"""Families: cells that differ in a few settings alone, and what they are called."""
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ..found.labels import DIRECT, method_label
from .groups import Cell, Group
from .settings import key_of
from .wording import settings_text


def families(cells: Iterable[Cell], *vary: str) -> List[List[Cell]]:
    """Cells that differ in the settings ``vary`` alone, as lists in the order of ``cells``."""
    found: Dict[str, List[Cell]] = {}
    for cell in cells:
        found.setdefault(key_of(cell.settings, vary), []).append(cell)
    return list(found.values())


def varied(group: Group, *vary: str) -> List[List[Cell]]:
    """The families in which the first of ``vary`` takes two values or more."""
    return [family for family in families(group.cells, *vary)
            if len({key_of({vary[0]: cell.settings.get(vary[0])}) for cell in family}) > 1]


def family_labels(members: Sequence[List[Cell]], vary: Sequence[str],
                  usual: Optional[Dict[str, Any]] = None) -> List[str]:
    """The method of each family, and in which settings it is not as usual.

    Args:
        members: Families.
        vary: The settings in which cells of a family differ.
        usual: The settings that go without saying. Default: None, of the families with
            the same method those that most of them have.
    """
    labels = [method_label({k: v for k, v in family[0].runs[0].settings.items()
                            if k not in vary}) for family in members]
    result = []
    for family, label in zip(members, labels):
        same = [f[0].settings for f, other in zip(members, labels) if other == label]
        reference = usual or {key: _most([s.get(key) for s in same]) for key in same[0]}
        differs = {key: value for key, value in family[0].settings.items() if key not in vary
                   and key_of({key: value}) != key_of({key: reference.get(key)})}
        if 'early_bird' in differs:     # how often it looked does not matter
            stop = (differs.pop('early_bird') or {}).get('stop')
            if 'at' not in (stop or {}):    # that is in the label
                differs['stop'] = stop
        result.append(f'{label}, {settings_text(differs)}' if differs else label)
    return result


def labels_of(cells: Sequence[Cell]) -> List[str]:
    """What each cell is called beside the others, apart from its sparsity."""
    return family_labels([[cell] for cell in cells], ['sparsity'])


def curves_of(group: Group) -> List[Tuple[str, List[Cell]]]:
    """Label and cells of each curve: those of the main method, then transferred tickets.

    Of the main method the largest family comes first; others are shown if they have two
    sparsities at least.
    """
    own, others = _of_main_method(group), families(
        [cell for cell in group.cells
         if cell.settings['transfer'] and not cell.settings['control']], 'sparsity')
    own = own[:1] + [family for family in own[1:] if _sparsities(family) > 1]
    usual = own[0][0].settings if own else None
    labels = [*family_labels(own, ['sparsity'], usual), *family_labels(others, ['sparsity'])]
    return list(zip(labels, [*own, *others]))


def main_cells(group: Group) -> List[Cell]:
    """The tickets of the main method that differ in sparsity alone; may be empty.

    Without those that prune nothing, which are dense models.
    """
    own = _of_main_method(group)
    return [cell for cell in own[0] if not cell.prunes_nothing] if own else []


def _of_main_method(group: Group) -> List[List[Cell]]:
    """The families of one method that draws tickets of the task itself, the largest first.

    That is the direct one; where no ticket is direct, that of the largest family.
    """
    drawn = families([cell for cell in group.cells
                      if not cell.settings['transfer'] and not cell.settings['control']],
                     'sparsity')
    drawn.sort(key=lambda family: (
        all(cell.prunes_nothing for cell in family), family[0].method != DIRECT,
        -_sparsities(family), -sum(len(cell.runs) for cell in family)))
    return [family for family in drawn if family[0].method == drawn[0][0].method]


def _most(values: Sequence[Any]) -> Any:
    """The value that most have; of several one that is off or none.

    Where all differ and none is off, no value goes without saying: what comes back equals none.
    """
    texts = [key_of({'': value}) for value in values]
    most = max(values, key=lambda value: (texts.count(key_of({'': value})), not value))
    told = most and len(values) > 1 and texts.count(key_of({'': most})) == 1
    return object() if told else most


def _sparsities(family: Sequence[Cell]) -> int:
    return len({round(cell.scope_sparsity, 2) for cell in family})
