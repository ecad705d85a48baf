"""Settings and names as people write them."""
from collections import Counter
from typing import Any, Dict, Iterable, List, Sequence


def settings_text(settings: Dict[str, Any]) -> str:
    """Settings as people write them."""
    return ', '.join(f'{key} {value_text(value)}' for key, value in settings.items()) or (
        'as in the base')


def value_text(value: Any) -> str:
    """One value of a setting."""
    if value is None:
        return 'none'
    if isinstance(value, dict):
        value = [f'{key}={item}' for key, item in value.items()]
    return '+'.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def first_text(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more


def numbered(names: Iterable[str]) -> List[str]:
    """The names, a number behind what is there already: ``['a', 'a (2)']``."""
    found: List[str] = []
    seen: Counter = Counter()
    for name in names:
        seen[name] += 1
        found.append(f'{name} ({seen[name]})' if seen[name] > 1 else name)
    return found
