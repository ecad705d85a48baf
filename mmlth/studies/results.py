"""What a study has found: one row per run, the table of their means, the analysis."""
import csv
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmlth.analysis import analyze
from mmlth.analysis.compare.endings import endings_text
from mmlth.analysis.compare.gaps import apart_text
from mmlth.analysis.compare.groups import Group, group_runs
from mmlth.analysis.found.runs import find_runs
from mmlth.core.files import whole_file, write_text
from mmlth.engine.chain.lengths import lengths
from mmlth.metrics import Metric, metric_of
from mmlth.report.guard import Guard

from .gaps import Rounds, finished, gaps_text, has_dense
from .means import summarise, to_markdown
from .study import Run, Study
from .times import read_sessions, sessions_text

Row = Dict[str, Any]
TABLE, ROWS, ANALYSIS = 'results.md', 'results.csv', 'analysis'
REPORT = f'{ANALYSIS}/report.html'


def collect(study: Study, root: Path) -> List[Row]:
    """One dict per part, finished run and metric.

    Keys: ``part``, ``run``, ``metric``, ``settings`` (without the seed), ``seed``,
    ``scope_sparsity``, ``network_sparsity``, ``compute_sparsity`` (None if unknown), ``dense``,
    ``ticket``, ``change`` (the metric of the dense training, of the last round, and their
    difference; a run whose round 0 is no dense model has that of another run of its training, or
    None; None also where a metric is no number or was not measured), ``iterations`` and
    ``minutes`` (of all rounds but the dense one), ``from_start`` and ``chain`` (iterations of the
    ticket since its initialisation, and of all rounds; None where the rewind point's iteration is
    not known).
    """
    rows: List[Row] = []
    runs, lotteries = {run.name: run for run in study.runs}, finished(study, root)
    dense: Dict[Tuple[str, Optional[str]], Dict[str, float]] = {}
    for name, rounds in lotteries.items():
        if has_dense(rounds):
            dense.setdefault(_dense(runs[name], rounds), rounds[0]['metrics'])
    for part, combinations in study.parts.items():
        for settings in combinations:
            run = next(r for r in runs.values() if r.parts.get(part) == settings)
            if run.name in lotteries:
                rounds = lotteries[run.name]
                # Each may have trained its own; the first of its seed stands in for one it lacks.
                first = rounds[0]['metrics'] if has_dense(rounds) else dense.get(
                    _dense(run, rounds), {})
                rows += [_row(run, part, metric_of(name), first, rounds) for name in run.metrics]
    return rows


def _dense(run: Run, rounds: Rounds) -> Tuple[str, Optional[str]]:
    """Equal for lotteries of the same dense model: its training, or the file that was given."""
    given = rounds[0].get('given')
    return run.dense, given and given['dense']['sha256']


def _row(run: Run, part: str, metric: Metric, dense: Dict[str, float], rounds: Rounds) -> Row:
    later, measured = rounds[1:], lengths(rounds, run.spec.settings, run.cfg)
    before, after = metric.raw(dense), metric.raw(later[-1]['metrics'])
    own = [length.own for length in measured[1:]]
    return dict(
        part=part, run=run.name, metric=metric.name, seed=run.seed,
        settings={key: value for key, value in run.parts[part].items() if key != 'seed'},
        scope_sparsity=later[-1]['scope_sparsity'],
        network_sparsity=later[-1]['network_sparsity'],
        compute_sparsity=later[-1].get('compute_sparsity'), dense=before, ticket=after,
        change=None if before is None or after is None else after - before,
        iterations=None if None in own else sum(own),
        minutes=sum(e['seconds'] for e in later) / 60,
        from_start=measured[-1].from_start, chain=measured[-1].chain)


def write_results(study: Study, root: Path, guard: Optional[Guard] = None) -> str:
    """What a study ends in: the table of its means, all numbers, and the analysis.

    Written to ``root/NAME_OF_STUDY``: ``results.csv`` (every run), ``results.md`` (means with
    their tests, what is in none of them, whether the dense models were trained to their end, wall
    time), and ``analysis/report.html`` (:func:`mmlth.analysis.analyze`), once a run is finished.

    Args:
        study: The study.
        root: Where its runs are.
        guard: Notes why there is no analysis, or what of it has failed. Default: None, a new one.

    Returns:
        str: The text of ``results.md``.
    """
    folder, rows, guard = Path(root) / study.name, collect(study, root), guard or Guard()
    _write_rows(folder / ROWS, rows)
    lotteries = finished(study, root)
    notes = guard.run(f'endings in {TABLE}', lambda: _of_dense_models(
        group_runs(find_runs([folder]).runs))) if lotteries else None
    text = to_markdown(summarise(rows), gaps_text(study, lotteries), *(notes or []),
                       sessions_text(read_sessions(folder)))
    write_text(folder / TABLE, text)
    if lotteries:
        guard.run('analysis', lambda: analyze(
            [folder], folder / ANALYSIS, title=study.name, guard=guard))
    return text


def _of_dense_models(groups: Sequence[Group]) -> List[str]:
    """Whether they were trained to their end, and whether those of one seed differ."""
    return [endings_text(groups), apart_text(groups)]


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    columns = ['part', 'run', 'metric', 'settings', 'seed', 'scope_sparsity', 'network_sparsity',
               'compute_sparsity', 'dense', 'ticket', 'change', 'iterations', 'minutes',
               'from_start', 'chain']
    with whole_file(path) as part:
        with open(part, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
