"""What a ``lottery.json`` may hold, checked before anything of it is used."""
import math
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Callable, Dict, List, Tuple, Union

_DEEPEST = 100      # of the config; what compares and prints it recurses
_LONGEST = 1024     # of a path; file systems refuse longer ones with an OSError


def check_lottery(lottery: Any) -> None:
    """Raise a ValueError that says what is wrong with the content of a ``lottery.json``.

    Keys that this version does not know, and keys that older ones did not write, are no
    mistake; a round that is done must have what the report prints.
    """
    _expect(isinstance(lottery, dict), 'the file', 'an object', lottery)
    version = lottery.get('version')
    _expect(type(version) is int and version == 1, 'version', 'the 1 that this mmlth reads',
            version)
    _expect(isinstance(lottery.get('config'), dict), 'config', 'an object',
            lottery.get('config'))
    _check_depth(lottery['config'])
    _check_used(lottery['config'])
    for key in ('spec', 'hooks'):
        _expect(isinstance(lottery.get(key, {}), dict), key, 'an object', lottery.get(key))
    rounds = lottery.get('rounds')
    _expect(isinstance(rounds, list) and rounds, 'rounds', 'a list, not empty', rounds)
    for index, entry in enumerate(rounds):
        _expect(isinstance(entry, dict), f'rounds[{index}]', 'an object', entry)
        _check_round(index, entry)


def _check_round(index: int, entry: Dict[str, Any]) -> None:
    where, number, status = f'rounds[{index}]', entry.get('round'), entry.get('status')
    _expect(type(number) is int and number == index, f'{where}.round', index, number)
    _expect(status in ('waiting', 'running', 'done'), f'{where}.status',
            "'waiting', 'running' or 'done'", status)
    for key, (check, expected) in _VALUES.items():
        if key in entry:
            _expect(check(entry[key]), f'{where}.{key}', expected, entry[key])
    if status == 'done':
        for key in ('checkpoint', 'scope_sparsity', 'network_sparsity'):
            _expect(entry.get(key) is not None, f'{where}.{key}',
                    'a value, for the round is done', None)


def _check_used(config: Dict[str, Any]) -> None:
    """What a resumed lottery takes over from the config instead of comparing it."""
    load_from, randomness = config.get('load_from'), config.get('randomness')
    _expect(load_from is None or isinstance(load_from, str), 'config.load_from',
            'a string or null', load_from)
    _expect(randomness is None or isinstance(randomness, dict), 'config.randomness',
            'an object or null', randomness)
    seed = (randomness or {}).get('seed')
    _expect(seed is None or type(seed) is int and 0 <= seed < 2**32, 'config.randomness.seed',
            'a whole number below 2**32 or null', seed)


def _check_depth(config: Dict[str, Any]) -> None:
    layer: List[Union[dict, list]] = [config]
    depth = 0
    while layer:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f'config: it is nested more than {_DEEPEST} levels deep')
        layer = [value for outer in layer
                 for value in (outer.values() if isinstance(outer, dict) else outer)
                 if isinstance(value, (dict, list))]


def _expect(fine: Any, where: str, expected: Any, found: Any) -> None:
    if not fine:
        text = f'{found!r:.60}' if not isinstance(found, (dict, list)) else (
            f'{type(found).__name__} of {len(found)}')
        raise ValueError(f'{where}: expected {expected}, got {text}')


def _is_number(value: Any) -> bool:
    """NaN too: a metric may be undefined."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, float)


def _is_fraction(value: Any) -> bool:
    return value is None or _is_number(value) and 0 <= value <= 1


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and 0 <= value and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_size(value: Any) -> bool:
    return value is None or _is_count(value)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_name(value: Any) -> bool:
    return value is None or isinstance(value, str) and value.isidentifier() and len(value) <= 255


def _is_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_latency(value: Any) -> bool:
    return value is None or _is_metrics(value) and all(
        0 < value.get(key, 0) < math.inf for key in ('dense_ms', 'sparse_ms', 'speedup'))


def _is_given(value: Any) -> bool:
    """The dense model and the rewind point that a lottery was given, the latter perhaps null."""
    if value is None:
        return True
    return isinstance(value, dict) and _is_note(value.get('dense')) and (
        value.get('rewind') is None or _is_note(value['rewind']))


def _is_note(value: Any) -> bool:
    return (isinstance(value, dict) and isinstance(value.get('file'), str)
            and isinstance(value.get('sha256'), str) and all(
                _is_size(value.get(key)) for key in ('iterations', 'epoch', 'seed')))


def _is_path(value: Any) -> bool:
    """Relative, on any system, and inside."""
    if value is None:
        return True
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return False
    parts, windows = PurePosixPath(value).parts, PureWindowsPath(value)
    return (bool(parts) and not value.startswith('/') and not windows.anchor
            and '..' not in windows.parts and max(len(p.encode()) for p in parts) <= 255)


_VALUES: Dict[str, Tuple[Callable[[Any], bool], str]] = dict(
    scope_sparsity=(_is_fraction, 'a fraction in [0, 1] or null'),
    network_sparsity=(_is_fraction, 'a fraction in [0, 1] or null'),
    compute_sparsity=(_is_fraction, 'a fraction in [0, 1] or null'),
    latency=(_is_latency, 'an object with dense_ms, sparse_ms and speedup, or null'),
    metrics=(_is_metrics, 'an object of numbers'),
    checkpoint=(_is_path, 'a path inside the work dir or null'),
    ticket=(_is_path, 'a path inside the work dir or null'),
    checkpoint_bytes=(_is_size, 'a whole number, not negative, or null'),
    ticket_digest=(_is_text, 'a text or null'),
    ticket_bytes=(_is_size, 'a whole number, not negative, or null'),
    iterations=(_is_count, 'a whole number, not negative'),
    planned_iterations=(_is_count, 'a whole number, not negative'),
    ended_by=(_is_name, 'the name of a class or null'),
    rewind_iteration=(_is_size, 'a whole number, not negative, or null'),
    given=(_is_given, 'an object with the notes dense and rewind, or null'),
    processes=(_is_size, 'a whole number, not negative, or null'),
    seconds=(_is_seconds, 'a number, not negative'))
