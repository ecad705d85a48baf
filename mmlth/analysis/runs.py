"""Read finished lotteries: what each was, and what came out of each round."""
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.lengths import (Length, ended_by, ended_by_early_bird, ended_early, lengths,
                                  rewound_to)
from mmlth.engine.chain.state import read_json, read_lottery

from .labels import data_label, method_label, model_label, source_label
from .metrics import Metric, main_metrics
from .settings import read_config, read_settings, training_hash

STUDY = 'study.json'       # what a study expects; its runs are beside its folder


@dataclass
class Round:
    """One finished round; round 0 is dense.

    Args:
        index: From 0.
        folder: Its work dir.
        checkpoint: ``final.pth``.
        ticket: The ticket that it trained; None in round 0.
        metrics: As the evaluator names and scales them.
        scope_sparsity: Fraction of zeros among the weights in scope.
        network_sparsity: Fraction of zeros over all parameters.
        compute_sparsity: Fraction of the scope's multiply-adds; None if it was not counted.
        latency: Milliseconds as the lottery has measured them: ``dense_ms``, ``sparse_ms`` and
            ``speedup``; None if it has not.
        iterations: That it trained.
        planned_iterations: More, if a hook ended it early.
        length: Its iterations, those of its weights from their start, those of its chain.
        ended_by: The hook that ended it early, in words; None if it ran to its end.
        found_early: Whether that was done with the mask of an early-bird ticket.
        processes: That trained at once, by a launcher; None if an older version noted none.
        seconds: Wall time.
        checkpoint_bytes: Size of the checkpoint; None if unknown.
        ticket_bytes: Size of the ticket; None in round 0.
    """
    index: int
    folder: Path
    checkpoint: Path
    ticket: Optional[Path]
    metrics: Dict[str, float]
    scope_sparsity: float
    network_sparsity: float
    compute_sparsity: Optional[float]
    latency: Optional[Dict[str, float]]
    iterations: int
    planned_iterations: int
    length: Length
    ended_by: Optional[str]
    found_early: bool
    processes: Optional[int]
    seconds: float
    checkpoint_bytes: Optional[int]
    ticket_bytes: Optional[int]

    @property
    def trained_fully(self) -> bool:
        """Whether it ran as long as its schedule says: only then is round 0 the dense model."""
        return 0 < self.iterations >= self.planned_iterations


@dataclass
class Run:
    """One finished lottery.

    Args:
        folder: Its work dir.
        model: E.g. ``'Faster R-CNN R18'``.
        data: Name of the training data, e.g. ``'VOC'``.
        seed: None only if a hand-written ``lottery.json`` has none.
        method: ``'direct'``, ``'ImageNet ticket'``, ``'ticket of Keypoint R-CNN R18'``,
            ``'layerwise'``, ``'control: random mask'``, ``'early-bird'``, ...; see
            :func:`mmlth.analysis.labels.method_label`.
        settings: Arguments of PruneHook and RewindHook with their defaults (``sparsity``,
            ``rounds``, ``allocation``, ``score``, ``scope``, ``floor``, ``control``,
            ``transfer`` with the ``label`` of its source, ``to``, ``mode``, ``schedule``, ...),
            and ``early_bird``, the arguments of EarlyBirdHook or None.
        training: Hash of the dense training apart from its seed: runs are averaged over
            seeds, and compared with a dense model, only if they agree in it.
        rounds: All of them, the dense one first.
        cfg: The whole config.
        rewound_to: The iteration of the rewind point; None for a point in epochs of an
            iteration-based loop, where an older version has not noted it.
        study: Name of the study it belongs to, or None.
    """
    folder: Path
    model: str
    data: str
    seed: Optional[int]
    method: str
    settings: Dict[str, Any]
    training: str
    rounds: List[Round]
    cfg: Config = field(repr=False)
    rewound_to: Optional[int]
    study: Optional[str] = None

    @property
    def name(self) -> str:
        """Its folder's name, behind that of its study."""
        return f'{self.study}/{self.folder.name}' if self.study else self.folder.name

    @property
    def dense(self) -> Round:
        """The dense model; it may be untrained, or trained in part (``trained_fully``)."""
        return self.rounds[0]

    @property
    def ticket(self) -> Round:
        """The last round."""
        return self.rounds[-1]

    @property
    def metrics(self) -> List[Metric]:
        """The main metric of each task that it was evaluated on."""
        return main_metrics(name for r in self.rounds for name in r.metrics)

    @property
    def own_settings(self) -> Dict[str, Any]:
        """The settings that had an effect: an EarlyBirdHook without ``stop`` only looks on."""
        early_bird = self.settings['early_bird']
        looks_on = early_bird is not None and not early_bird.get('stop')
        return {**self.settings, 'early_bird': None if looks_on else early_bird}

    @property
    def kind(self) -> str:
        """Equal for runs that differ in their seed alone."""
        return self.training + json.dumps(self.own_settings, sort_keys=True, default=str)


@dataclass
class Found:
    """What was found: finished runs, and why others are left out (name -> reason)."""
    runs: List[Run]
    left_out: Dict[str, str]


def find_runs(work_dirs: Sequence) -> Found:
    """Read lotteries and studies.

    Args:
        work_dirs: Work dirs of lotteries; of a study, with its ``study.json``; or what holds
            the ``runs`` of studies.

    Raises:
        UserError: A folder is neither, a lottery's file is damaged, or nothing is finished.
    """
    found, folders, kinds = Found([], {}), set(), {}
    for work_dir in map(Path, work_dirs):
        for folder, study in _lotteries(work_dir):
            if folder.resolve() not in folders:
                folders.add(folder.resolve())
                _add(found, kinds, folder, study)
    if not found.runs:
        raise UserError(
            'there is no finished lottery in ' + ', '.join(map(str, work_dirs)) + ': '
            + ('; '.join(f'{n}: {why}' for n, why in list(found.left_out.items())[:5])
               or 'no folder was given'))
    return found


def read_run(folder) -> Run:
    """One finished lottery.

    Raises:
        UserError: There is none, it is damaged, or not finished.
    """
    run = _read(Path(folder), None)
    if isinstance(run, str):
        raise UserError(f'{folder}: {run}; continue it with tools/train.py --resume')
    return run


def _add(found: Found, kinds: Dict[tuple, Run], folder: Path, study: Optional[str]) -> None:
    try:
        run = _read(folder, study)
    except UserError as error:
        run = str(error)
    if isinstance(run, str):
        found.left_out[f'{study}/{folder.name}' if study else folder.name] = run
        return
    same = kinds.setdefault((run.kind, run.seed), run)
    if same is run:
        found.runs.append(run)
        return
    if run.settings['early_bird'] and not same.settings['early_bird']:
        # The one with the curve of early masks is kept.
        found.runs[found.runs.index(same)] = kinds[run.kind, run.seed] = run
        run, same = same, run
    found.left_out[run.name] = f'the same lottery as {same.name}, which counts once'


def _lotteries(work_dir: Path):
    """Pairs of a lottery's folder and its study's name."""
    if (work_dir / paths.LOTTERY).is_file():
        return [(work_dir, None)]
    name = work_dir.resolve().name
    if (work_dir / STUDY).is_file():
        return [(folder, name) for folder in _study_folders(work_dir / STUDY)]
    folders = sorted(f for f in (work_dir / 'runs').glob('*') if f.is_dir())
    if not folders:
        raise UserError(
            f'{work_dir} is no work dir of a lottery or a study: expected {paths.LOTTERY}, '
            f'{STUDY} or runs/*/{paths.LOTTERY} there'
            + ('' if work_dir.is_dir() else ', but there is no such folder'))
    return [(folder, name) for folder in folders]


def _study_folders(path: Path) -> List[Path]:
    """The folders of all runs that a study expects."""
    try:
        runs = read_json(path)['runs']
        return [path.parent / run['folder'] for run in runs.values()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError,
            RecursionError) as error:
        raise UserError(f'{path} cannot be read ({type(error).__name__}: {error}); write it anew '
                        'with tools/study.py') from None


def _read(folder: Path, study: Optional[str]):
    """The run, or why it is left out."""
    if study and not (folder / paths.LOTTERY).is_file():
        return 'not begun'
    lottery = read_lottery(folder / paths.LOTTERY)
    waiting = [e['round'] for e in lottery['rounds'] if e['status'] != 'done']
    if waiting:
        return f'not finished: round {waiting[0]} of {len(lottery["rounds"]) - 1} is to be done'
    cfg = read_config(lottery)
    settings = read_settings(cfg)
    if settings['transfer']:
        settings['transfer']['label'] = source_label(settings['transfer'], folder.parent)
    return Run(
        folder=folder, model=model_label(cfg.get('model') or {}), data=data_label(cfg),
        seed=(cfg.get('randomness') or {}).get('seed'), method=method_label(settings),
        settings=settings, training=training_hash(cfg),
        rounds=[_round(folder, entry, length, cfg) for entry, length in zip(
            lottery['rounds'], lengths(lottery['rounds'], cfg))],
        cfg=cfg, rewound_to=rewound_to(lottery['rounds'], cfg), study=study)


def _round(folder: Path, entry: Mapping[str, Any], length: Length, cfg: Config) -> Round:
    ticket = entry.get('ticket')
    return Round(
        index=entry['round'], folder=paths.round_dir(folder, entry['round']),
        checkpoint=folder / entry['checkpoint'], ticket=folder / ticket if ticket else None,
        metrics=entry.get('metrics') or {}, scope_sparsity=entry['scope_sparsity'],
        network_sparsity=entry['network_sparsity'],
        compute_sparsity=entry.get('compute_sparsity'), latency=entry.get('latency'),
        iterations=entry.get('iterations', 0),
        planned_iterations=entry.get('planned_iterations', 0), length=length,
        ended_by=ended_by(entry, cfg) if ended_early(entry) else None,
        found_early=ended_by_early_bird(entry, cfg), processes=entry.get('processes'),
        seconds=entry.get('seconds', 0.0), checkpoint_bytes=entry.get('checkpoint_bytes'),
        ticket_bytes=entry.get('ticket_bytes'))
