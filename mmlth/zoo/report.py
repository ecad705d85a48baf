"""The outcome of all configs as text, as plain data, and as a table per family."""
from collections import Counter, defaultdict
from dataclasses import asdict, fields
from typing import Any, Dict, List, Sequence

from .result import FAILED, NO_MODEL, NOT_BUILT, NOT_TRAINED, PASSED, REFUSED, Result

_APART = {
    NOT_BUILT: 'stock cannot build here',
    NOT_TRAINED: 'stock has no training for, refused before round 0',
    REFUSED: 'need several optimizers, refused before round 0',
    NO_MODEL: 'are no model configs',
}


def counted(results: Sequence[Result]) -> List[Result]:
    """Those that stock can build and train: what must pass."""
    return [r for r in results if r.status in (PASSED, FAILED)]


def failures(results: Sequence[Result]) -> List[Result]:
    """Those that stock can build and train, and the lottery not."""
    return [r for r in results if r.status == FAILED]


def to_text(results: Sequence[Result]) -> str:
    """Passed and total of each library, each failure, and what is counted apart."""
    lines = []
    for library in dict.fromkeys(r.library for r in results):
        own = [r for r in results if r.library == library]
        buildable = counted(own)
        passed = sum(r.status == PASSED for r in buildable)
        models = len({r.checked for r in buildable})
        share = f' ({passed / len(buildable):.1%})' if buildable else ''
        lines.append(f'{library}: {passed}/{len(buildable)} configs passed{share}; they have '
                     f'{models} distinct pairs of model and optimizer, each checked once, and '
                     'the override and the rounds of every config')
        lines += [f'  FAILED {r.name}: {r.reason}'
                  + (f' (checked as {r.checked})' if r.checked not in ('', r.name) else '')
                  for r in failures(own)]
        lines += _apart(own)
    return '\n'.join(lines)


def _apart(own: Sequence[Result]) -> List[str]:
    lines = []
    for status, text in _APART.items():
        found = [r for r in own if r.status == status]
        if not found:
            continue
        lines.append(f'  {len(found)} of {len(own)} config files {text}:')
        for reason, names in by_reason(found).items():
            lines.append(f'    {len(names):>3} x {reason}')
            lines += [f'          {name}' for name in names]
    return lines


def by_reason(results: Sequence[Result]) -> Dict[str, List[str]]:
    """The names of the configs by the kind of their reason, the commonest first."""
    groups = defaultdict(list)
    for result in results:
        groups[result.kind].append(result.name)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def by_family(results: Sequence[Result]) -> List[Dict[str, Any]]:
    """One row per folder: library, family, passed, buildable, apart, distinct models."""
    families = defaultdict(list)
    for result in results:
        families[result.library, result.family].append(result)
    rows = []
    for (library, family), own in families.items():
        buildable = counted(own)
        status = Counter(r.status for r in own)
        rows.append(dict(
            library=library, family=family, passed=status[PASSED], buildable=len(buildable),
            models=len({r.checked for r in buildable}), not_built=status[NOT_BUILT],
            refused=status[NOT_TRAINED] + status[REFUSED], no_model=status[NO_MODEL]))
    return rows


def to_markdown(results: Sequence[Result]) -> str:
    """The table per family."""
    lines = ['| library | family | passed | buildable | distinct models | not built by stock '
             '| no training | no model config |', '|---|---|---:|---:|---:|---:|---:|---:|']
    keys = ('library', 'family', 'passed', 'buildable', 'models', 'not_built', 'refused',
            'no_model')
    lines += ['| ' + ' | '.join(str(row[key] or '') for key in keys) + ' |'
              for row in by_family(results)]
    return '\n'.join(lines) + '\n'


def to_dict(results: Sequence[Result]) -> Dict[str, Any]:
    """All of it as plain data."""
    totals = {}
    for library in dict.fromkeys(r.library for r in results):
        status = Counter(r.status for r in results if r.library == library)
        totals[library] = dict(status, buildable=status[PASSED] + status[FAILED])
    return dict(totals=totals, families=by_family(results),
                configs=[dict(asdict(r), family=r.family) for r in results])


def from_dict(value: Dict[str, Any]) -> List[Result]:
    """The results that :func:`to_dict` has written down."""
    names = [f.name for f in fields(Result)]
    return [Result(**{name: row[name] for name in names}) for row in value['configs']]
