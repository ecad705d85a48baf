"""The outcome of all configs as text, as plain data, and as a document."""
from collections import Counter, defaultdict
from dataclasses import asdict, fields
from typing import Any, Dict, Iterable, List, Sequence

from .result import FAILED, NO_MODEL, NOT_BUILT, NOT_TRAINED, PASSED, REFUSED, Result

_METHOD = '''Does the lottery work on every config that MMDetection and MMPose ship? Written by

```bash
python tools/zoo_coverage.py --markdown docs/zoo_coverage.md
```

For every config that the stock library reads: `configs/lth/overrides/prune80.py` is merged
over it, the settings are checked as before a lottery, and the configs of both rounds are
derived; they must keep the model, data, loops, schedules, hooks and optimizer of the config.

The stock model and optim wrapper of every config are built, in a process of their own (once for
configs whose models and optimizers are the same but for inference and pretrained weights). Of
every distinct network, one whose parameters have other names, shapes or kinds or another
optimizer: the scope must hold every convolution, linear layer and attention projection, and no
norm, bias, embedding, position or teacher; the PruneHook draws and saves the ticket; the
TicketHook loads and binds it to a model of other weights, and to its EMA copy, which must start
as drawn; one update by the config's own optimizer and wrapper, with a gradient of 1 everywhere,
must move weights and leave every pruned one at exactly 0.

Weights and gradients are synthetic: nothing is downloaded, initialised or trained, and a
config's AMP runs with PyTorch's scaler for CPUs. Paths inside configs start at the folder of
the library's configs. torchvision is not installed; `mmlth.compat` stands in for it.
"Stock cannot build" is what the stock config fails with by itself, extra packages that are not
installed among it.'''

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
                     f'{models} distinct network{"s" * (models != 1)}, a ticket of each was drawn '
                     'and bound; the override and the rounds were checked of every config')
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
    """The document: totals, how they were measured, failures, families, what is apart."""
    parts = ['# The model zoo', _METHOD, '## Totals', _table(
        ('library', 'config files', 'buildable', 'passed', 'failed', 'distinct models',
         *_APART), (_total(results, library) for library in _libraries(results)))]
    failed = failures(results)
    parts += ['## Failures', '\n'.join(f'* `{r.library}::{r.name}`: {r.reason}' for r in failed)
              or 'None.']
    columns = ('library', 'family', 'passed', 'buildable', 'models', 'not_built', 'refused',
               'no_model')
    parts += ['## By family', 'Configs that passed, of those that stock can build and train; and '
              'what is counted apart.',
              _table(columns, ([row[key] for key in columns] for row in by_family(results)))]
    for status, text in _APART.items():
        groups = [(library, reason, names) for library in _libraries(results)
                  for reason, names in by_reason([r for r in results if r.library == library
                                                  and r.status == status]).items()]
        parts += [f'## Config files that {text}'] if groups else []
        parts += [f'**{library}, {len(names)}**: {reason}\n\n'
                  + '\n'.join(f'* `{name}`' for name in names)
                  for library, reason, names in groups]
    parts += ['## What the default scope holds', _kinds(results)]
    return '\n\n'.join(parts) + '\n'


def _libraries(results: Sequence[Result]) -> List[str]:
    return list(dict.fromkeys(r.library for r in results))


def _total(results: Sequence[Result], library: str) -> List[Any]:
    own = [r for r in results if r.library == library]
    status = Counter(r.status for r in own)
    models = len({r.checked for r in counted(own)})
    return [library, len(own), status[PASSED] + status[FAILED], status[PASSED], status[FAILED],
            models, *(status[key] for key in _APART)]


def _kinds(results: Sequence[Result]) -> str:
    """Which parameters of which modules are in scope, and which matrices are not."""
    lines = []
    for title, key in (('In scope', 'in_scope'), ('Left out', 'left_out')):
        models = {(r.library, r.checked): getattr(r, key) for r in counted(results)}
        found = Counter(kind for kinds in models.values() for kind in kinds)
        lines.append(f'{title} (of how many models): ' + ', '.join(
            f'`{kind}` {count}' for kind, count in found.most_common()) + '.')
    return '\n\n'.join(lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [columns, ['---'] * len(columns), *rows]
    return '\n'.join('| ' + ' | '.join(str(cell) for cell in line) + ' |' for line in lines)


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
