"""What the means of a study lack: metrics that are no numbers, or that no run has measured."""
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from mmlth.analysis.compare.wording import first_text
from mmlth.core.paths import LOTTERY
from mmlth.engine.chain.lengths import ended_early, is_trained
from mmlth.engine.chain.state import read_lottery
from mmlth.metrics import metric_of

from .one import is_finished
from .study import Run, Study, run_dir

Rounds = Sequence[Mapping[str, Any]]


def finished(study: Study, root: Path) -> Dict[str, Rounds]:
    """Run -> the rounds of its lottery, of those that are finished."""
    return {run.name: read_lottery(run_dir(root, run) / LOTTERY)['rounds']
            for run in study.runs if is_finished(root, run)}


def has_dense(rounds: Rounds) -> bool:
    """Whether round 0 is a dense model: trained, and to its end."""
    return not ended_early(rounds[0]) and is_trained(rounds[0])


def gaps_text(study: Study, lotteries: Mapping[str, Rounds]) -> str:
    """Which metrics are in no mean, of which models, and why; empty where none is missing.

    Args:
        study: The study.
        lotteries: Of :func:`finished`.
    """
    runs = [run for run in study.runs if run.name in lotteries]
    absent, known = _absent(runs, lotteries)
    sentences = [
        f'No finished run has the metric {name!r}; their evaluators give: '
        f'{", ".join(known) or "none"}.' for name in absent]
    found: Dict[str, List[str]] = {}
    for run in runs:
        for name in run.metrics:
            for what, metrics in _models(lotteries[run.name]):
                reason = '' if name in absent else metric_of(name).why_not(metrics)
                if reason:
                    found.setdefault(f'{name} {reason}', []).append(f'{what} of {run.name}')
    if found:
        sentences.append('Not in any mean: ' + '; '.join(
            f'{reason} ({first_text(models)})' for reason, models in found.items()) + '.')
    return ' '.join(sentences)


def _absent(runs: Sequence[Run], lotteries: Mapping[str, Rounds]) -> Tuple[List[str], List[str]]:
    """The metrics of the study that no run has, and all that there are."""
    known = {name: None for run in runs for _, metrics in _models(lotteries[run.name])
             for name in metrics}
    wanted = {name: None for run in runs for name in run.metrics}
    return [name for name in wanted if name not in known], list(known)


def _models(rounds: Rounds) -> Iterator[Tuple[str, Mapping[str, float]]]:
    """What is compared: in words, and its metrics."""
    if has_dense(rounds):
        yield 'the dense model', rounds[0]['metrics']
    yield 'the ticket', rounds[-1]['metrics']
