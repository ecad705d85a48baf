"""Runs that may be averaged and compared: same training, same settings."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence

from mmlth.core import CONTROLS
from mmlth.metrics import Metric, metric_of, metrics_of

from ..found.labels import DIRECT
from ..found.run import Run
from ..found.trainings import training_settings
from .seeds import of_one_dense, tickets_of
from .settings import key_of, shared_settings
from .statistics import BySeed, Comparison, compare, mean_of_known


@dataclass
class Cell:
    """Runs that differ in their seed alone.

    Args:
        runs: One per seed.
        settings: What they share, as :class:`Run` has it; of a transferred ticket the source is
            told by its label (``transfer``), beside ``mapping`` and ``masks_only``; of a list of
            sparsities ``sparsity`` is the last, ``sparsities_before`` the others (else None).
    """
    runs: List[Run]
    settings: Dict[str, Any]

    @property
    def method(self) -> str:
        """See :func:`mmlth.analysis.found.labels.method_label`."""
        return self.runs[0].method

    @property
    def trained_on(self) -> bool:
        """Whether it is the dense model, trained on as a control."""
        control = CONTROLS.get(self.settings.get('control') or '')
        return control is not None and control.every_round

    @property
    def prunes_nothing(self) -> bool:
        """Whether it is a dense model: trained on, or trained again from a rewind point."""
        return self.trained_on or not any(run.ticket.scope_sparsity for run in self.runs)

    @property
    def scope_sparsity(self) -> float:
        """In percent, mean over seeds."""
        return 100 * sum(r.ticket.scope_sparsity for r in self.runs) / len(self.runs)

    @property
    def network_sparsity(self) -> float:
        """In percent of all parameters, mean over seeds."""
        return 100 * sum(r.ticket.network_sparsity for r in self.runs) / len(self.runs)

    @property
    def compute_sparsity(self) -> Optional[float]:
        """In percent of the scope's multiply-adds, mean over seeds; None if one is not known."""
        found = mean_of_known(r.ticket.compute_sparsity for r in self.runs)
        return None if found is None else 100 * found

    def length(self, what: str) -> Optional[float]:
        """Iterations of the ticket, ``'own'``, ``'from_start'`` or ``'chain'``: mean over seeds.

        See :class:`mmlth.engine.chain.lengths.Length`; None where one is not known.
        """
        return mean_of_known(getattr(run.ticket.length, what) for run in self.runs)

    @property
    def needed(self) -> Optional[float]:
        """Iterations that a ticket costs, mean over seeds; None where one is not known."""
        return mean_of_known(run.needed for run in self.runs)

    def values(self, metric: Metric, name: Optional[str] = None) -> BySeed:
        """Seed -> the ticket's metric, in its unit; ``name``: another metric of the task."""
        found = {r.seed: metric.of(r.ticket.metrics, name) for r in self.runs}
        return {seed: value for seed, value in found.items() if value is not None}


@dataclass
class Group:
    """Runs with the same dense training but for the seed.

    Args:
        label: Model and data, e.g. ``'Faster R-CNN R18, VOC'``.
        model: E.g. ``'Faster R-CNN R18'``.
        data: E.g. ``'VOC'``.
        cells: Runs by settings.
    """
    label: str
    model: str
    data: str
    cells: List[Cell]

    @property
    def runs(self) -> List[Run]:
        """Of all cells."""
        return [run for cell in self.cells for run in cell.runs]

    @property
    def metrics(self) -> List[Metric]:
        """One per task."""
        runs = self.runs
        return metrics_of((name for run in runs for entry in run.rounds for name in entry.metrics),
                          [run.cfg for run in runs])

    @property
    def metrics_at_50(self) -> List[Metric]:
        """The metrics; behind an average precision over several IoUs that at 0.50.

        VOC's, over the one IoU of 0.50, is not told twice.
        """
        found = []
        for metric in self.metrics:
            found.append(metric)
            if metric.at_50 and any(self._differ(run, metric) for run in self.runs):
                found.append(metric_of(metric.at_50))
        return found

    @staticmethod
    def _differ(run: Run, metric: Metric) -> bool:
        """Whether it is another number at an IoU of 0.50, by more than is rounded away."""
        for entry in (run.dense, run.ticket):
            all_, at_50 = (metric.of(entry.metrics, name) for name in (None, metric.at_50))
            if all_ is not None and at_50 is not None and abs(all_ - at_50) > 0.1:
                return True
        return False

    def with_dense(self, cell: Optional[Cell] = None) -> List[Run]:
        """The runs whose round 0 is a dense model: trained to its end.

        Args:
            cell: Of a seed of its runs only that one, if it has a dense model: each lottery may
                have trained its own. Default: None, all.
        """
        found = [run for run in self.runs if run.dense.trained_fully]
        folders = {run.folder for run in cell.runs} if cell else set()
        own = {run.seed: run for run in found if run.folder in folders}
        return [run for run in found if own.get(run.seed, run) is run]

    def dense(self, metric: Metric, name: Optional[str] = None,
              cell: Optional[Cell] = None) -> BySeed:
        """Seed -> the dense model's metric, of several the first; see :meth:`with_dense`."""
        found: BySeed = {}
        for run in self.with_dense(cell):
            value = metric.of(run.dense.metrics, name)
            if value is not None:
                found.setdefault(run.seed, value)
        return found

    @property
    def dense_iterations(self) -> Optional[int]:
        """How long a dense model is trained, as planned; None if no run says it."""
        return next((run.dense.planned_iterations for run in self.runs
                     if run.dense.planned_iterations), None)

    def cost(self, cell: Cell) -> Optional[float]:
        """What a ticket of the cell costs, in trainings of the dense model; None if unknown."""
        dense, needed = self.dense_iterations, cell.needed
        return needed / dense if dense and needed is not None else None

    def compare(self, cell: Cell, metric: Metric) -> Optional[Comparison]:
        """The cell's tickets against their dense models; None if either was not measured."""
        return compare(self.dense(metric, cell=cell), cell.values(metric), metric.greater)


def group_runs(runs: Iterable[Run]) -> List[Group]:
    """Groups in the order of their labels."""
    trainings: Dict[str, List[Run]] = {}
    for run in runs:
        trainings.setdefault(run.training, []).append(run)
    groups = [Group(f'{members[0].model}, {members[0].data}', members[0].model,
                    members[0].data, _cells(members))
              for training in trainings.values() for members in of_one_dense(training)]
    groups.sort(key=lambda group: group.label)
    for group in groups:
        same = [g for g in groups if (g.model, g.data) == (group.model, group.data)]
        if len(same) > 1:
            group.label += f' ({_difference(group, same)})'
    return groups


def _difference(group: Group, same: Sequence[Group]) -> str:
    """In what its training differs from others of the same model and data, if that is short."""
    settings = [{**training_settings(g.runs[0].cfg),
                 **({'dense': Path(g.runs[0].dense.given).name} if g.runs[0].dense.given else {})}
                for g in same]
    keys = sorted({key for one in settings for key in one
                   if len({json.dumps(other.get(key)) for other in settings}) > 1})
    own = settings[same.index(group)]
    text = ', '.join(f'{key}={own.get(key)}' for key in keys)
    texts = {', '.join(f'{key}={other.get(key)}' for key in keys) for other in settings}
    short = 0 < len(text) <= 60 and len(texts) == len(same)
    return text if short else f'training {same.index(group) + 1}'


def _cells(runs: Sequence[Run]) -> List[Cell]:
    found: Dict[str, List[Run]] = {}
    for run in runs:
        found.setdefault(key_of(shared_settings(run)), []).append(run)
    cells = []
    for members in found.values():
        transferred = members[0].settings.get('transfer')
        cells += [Cell(own, shared_settings(own[0])) for own in (
            tickets_of(members) if transferred else [members])]
    return sorted(cells, key=lambda c: (c.method != DIRECT, c.method, c.scope_sparsity))
