"""What the analyses need to know of a trained network, evaluated once and kept beside it."""
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.config import Config

from mmlth.core import checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.core.files import why_not_writable, write_text
from mmlth.engine.dump import read_dump
from mmlth.metrics import DETECTION, KEYPOINTS, SEGMENTATION, main_metrics
from mmlth.report.guard import Guard

from ..found.run import Round, Run
from .examples import keep_examples
from .predictions import predict, tells_categories
from .truth import training_counts

_VERSION = 1
_ALIKE = 0.5        # points of AP; noted values are rounded to 0.1
# Kinds of precision and the tasks they belong to.
TASKS = {'bbox': DETECTION, 'segm': SEGMENTATION, 'keypoints': KEYPOINTS}
Evaluation = Dict[str, Any]
_DIGESTS: Dict[Tuple[int, ...], str] = {}       # by device, inode, size and time of change


class Evaluations:
    """The evaluations of rounds, read from their folders or made and kept there.

    An evaluation is a dict with ``weights`` (their digest), ``loop``, ``precision`` and
    ``flops`` (see :class:`mmlth.analysis.measure.predictions.Predictions`), ``training_counts``
    (category -> training annotations, or None) and ``examples`` (see
    :func:`mmlth.analysis.measure.examples.keep_examples`), and ``left_out`` (what of these could
    not be had -> why). It is kept as ``evaluation.json`` in
    the round's folder, and made anew when the weights of ``final.pth`` are no longer those.

    Args:
        say: Told what is being evaluated. Default: print.
        spare: Folder for what cannot be kept in a round's own. Default: None.
    """

    def __init__(self, say: Callable[[str], None] = print, spare: Optional[Path] = None):
        self.problems: Dict[str, str] = {}      # what the run is called -> why it has none
        self.doubts: Dict[str, str] = {}        # the same -> what does not fit
        self.left_out: Dict[str, str] = {}      # part of an evaluation -> why it lacks it
        self.guard, self._spare = Guard(say), spare
        self._found: Dict[Path, Evaluation] = {}
        self._seen: Dict[Tuple[str, str], Evaluation] = {}
        self._named: Dict[str, Path] = {}       # what a run is called -> its folder
        self._say = say

    @classmethod
    def of_runs(cls, runs: Sequence[Run], say: Callable[[str], None] = print,
                spare: Optional[Path] = None) -> 'Evaluations':
        """Evaluate the dense model and the last ticket of each run."""
        evaluations = cls(say, spare)
        for run in runs:
            for part in evaluated_rounds(run):
                evaluations.add(run, part)
        return evaluations

    def get(self, part: Round) -> Optional[Evaluation]:
        """The evaluation of a round; None if there is none."""
        return self._found.get(part.folder)

    def add(self, run: Run, part: Round) -> None:
        """Read the evaluation of a round or make it; note in ``problems`` why it fails."""
        called = self._called(run)
        if called in self.problems:
            return
        name = f'evaluation of {called}, round {part.index}'
        found = self.guard.run(name, lambda: self._evaluation(run, part))
        if found is None:
            self.problems[called] = self.guard.skipped.get(name) or self.guard.failed[name]
            self._say(f'{called}, round {part.index}: not evaluated: {self.problems[called]}')
            return
        self._found[part.folder] = found
        self.left_out.update({f'{what} of {called}': why
                              for what, why in found.get('left_out', {}).items()})
        self._compare(run, part)

    def _called(self, run: Run) -> str:
        """Its name; its folder, if another run has the name."""
        folder = self._named.setdefault(run.name, run.folder)
        return run.name if folder == run.folder else str(run.folder)

    def _compare(self, run: Run, part: Round) -> None:
        """With what the training noted: other data may lie where its data were."""
        precision = self._found[part.folder]['precision']
        for metric in main_metrics(part.metrics):
            noted = metric.of(part.metrics)
            found = [100 * precision[kind]['AP'] for kind, task in TASKS.items()
                     if metric.at_50 and task == metric.task
                     and (precision.get(kind) or {}).get('AP') is not None]
            if noted is not None and found and abs(found[0] - noted) > _ALIKE:
                self.doubts[self._called(run)] = (
                    f'round {part.index} has {metric.axis} {found[0]:.1f}, its training noted '
                    f'{noted:.1f}: are the evaluation data the same?')
                self._say(f'{self._called(run)}: {self.doubts[self._called(run)]}')

    def _evaluation(self, run: Run, part: Round) -> Evaluation:
        kept = read(part.folder)
        if not part.checkpoint.is_file():
            if kept is None:
                raise UserError(
                    f'{part.checkpoint} is not there, and neither is {paths.EVALUATION}')
            return kept
        digest = weights_digest(part.checkpoint)
        spare = self._spare and self._spare / f'{digest[:16]}_{run.training}'
        for known in (kept, read(spare) if spare else None):
            if known is not None and known['weights'] == digest:
                self._seen[digest, run.training] = known
                return known
        # Runs of a study share their dense models.
        made = self._seen.get((digest, run.training))
        if made is None:
            folders = [folder for folder in (part.folder, spare) if folder]
            refused = None if len(folders) == 1 else why_not_writable(part.folder)
            if refused:
                folders.remove(part.folder)
            self._say(f'{self._called(run)}, round {part.index}: is evaluated ...' + (
                f' The results are kept in {spare}: {refused}' if refused else ''))
            made = self._seen[digest, run.training] = dict(
                evaluate(read_config(part.folder), part.checkpoint), weights=digest)
            self._keep(made, folders)
        elif why_not_writable(part.folder) is None:
            self._keep(made, [part.folder])
        return made

    def _keep(self, made: Evaluation, folders: Sequence[Path]) -> None:
        """Write it into the first folder that takes it; without it, it is only in the report."""
        for folder in folders:
            try:
                write_text(folder / paths.EVALUATION, json.dumps(made) + '\n')
                return
            except UserError as error:
                self._say(str(error))


def evaluated_rounds(run: Run) -> List[Round]:
    """The dense model, unless it is untrained, and the last ticket."""
    return [part for part in {r.index: r for r in (run.dense, run.ticket)}.values()
            if part.length.own != 0 or part.index]


def not_evaluated(runs: Sequence[Run]) -> List[Tuple[Run, List[Round]]]:
    """The rounds that :meth:`Evaluations.of_runs` would evaluate, by their runs.

    Equal weights of one training are named once; what cannot be evaluated, or whose folder takes
    no file, is not.
    """
    found, seen = [], set()
    for run in runs:
        parts = []
        for part in evaluated_rounds(run):
            try:
                weights = weights_digest(part.checkpoint), run.training
            except UserError:
                continue
            kept = read(part.folder)
            known = weights in seen or (kept is not None and kept['weights'] == weights[0])
            seen.add(weights)
            if not known and tells_categories(run.cfg) and why_not_writable(part.folder) is None:
                parts.append(part)
        if parts:
            found.append((run, parts))
    return found


def evaluate(cfg: Config, checkpoint: Union[str, Path]) -> Evaluation:
    """Evaluate a checkpoint; see :class:`Evaluations` for what comes back.

    Raises:
        UserError: It cannot be evaluated.
    """
    predictions, guard = predict(cfg, checkpoint), Guard()
    counts = guard.run('training annotations per category', lambda: training_counts(cfg))
    examples = guard.run('sample images', lambda: keep_examples(predictions, guard)) or []
    return dict(
        version=_VERSION, loop=predictions.loop, precision=predictions.precision,
        flops=predictions.flops, training_counts=counts, examples=examples,
        left_out={**guard.skipped, **guard.failed})


def read(folder: Union[str, Path]) -> Optional[Evaluation]:
    """What was kept in a round's folder; None if there is nothing of this version."""
    path = Path(folder) / paths.EVALUATION
    try:
        kept = json.loads(path.read_text(encoding='utf-8'))
        return kept if kept['version'] == _VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_config(folder: Union[str, Path]) -> Config:
    """The config that the Runner of a round has written into its folder.

    ``lottery.json`` has it too, but with lists for tuples, which some transforms refuse. The
    file is read, not run.
    """
    files: List[Path] = sorted(Path(folder).glob('*.py'), key=lambda f: f.stat().st_mtime)
    if not files:
        raise UserError(f'there is no config in {folder}, which the training has left there')
    return read_dump(files[-1])


def weights_digest(checkpoint: Union[str, Path]) -> str:
    """SHA-256 of the names and values of a checkpoint's weights.

    Raises:
        UserError: It cannot be read.
    """
    try:
        stat = os.stat(checkpoint)
    except OSError as error:
        raise UserError(f'{checkpoint} cannot be read: {error}') from None
    # A file is read once, though the runs of a study share dense models by hard links.
    file = stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
    if file not in _DIGESTS:
        _DIGESTS[file] = _digest(checkpoint)
    return _DIGESTS[file]


def _digest(checkpoint: Union[str, Path]) -> str:
    try:
        state = checkpoint_file.load(checkpoint)['state_dict']
        sha = hashlib.sha256()
        for name in sorted(name for name, value in state.items() if torch.is_tensor(value)):
            sha.update(f'{name} {state[name].dtype} {tuple(state[name].shape)}\0'.encode())
            sha.update(state[name].contiguous().view(-1).view(torch.uint8).numpy()
                       if state[name].numel() else b'')
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{checkpoint} cannot be read: {str(error):.200}') from None
    return sha.hexdigest()
