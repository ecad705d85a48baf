"""Families: cells that differ in a few settings alone, and what they are called."""
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ..found.labels import DIRECT, method_label
from .groups import Cell, Group, key_of
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
    """Label and cells of each curve: the direct ones and those of transferred tickets.

    Of direct tickets the family with most sparsities stands for the method; others are shown
    if they have two sparsities at least.
    """
    direct = sorted(families([c for c in group.cells if c.method == DIRECT], 'sparsity'),
                    key=lambda f: (-_sparsities(f), -sum(len(c.runs) for c in f)))
    direct = direct[:1] + [f for f in direct[1:] if _sparsities(f) > 1]
    others = families([c for c in group.cells
                       if c.settings.get('transfer') and not c.settings.get('control')],
                      'sparsity')
    usual = direct[0][0].settings if direct else None
    labels = [*family_labels(direct, ['sparsity'], usual), *family_labels(others, ['sparsity'])]
    return list(zip(labels, [*direct, *others]))


def main_direct(group: Group) -> List[Cell]:
    """The direct tickets that differ in sparsity alone; may be empty.

    Without those that prune nothing, which are dense models.
    """
    labelled = curves_of(group)
    return [cell for cell in labelled[0][1] if not cell.prunes_nothing] if (
        labelled and labelled[0][0] == DIRECT) else []


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
