"""Children of a rewind point: trained networks of finished lotteries, and pairs of them."""
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from mmlth.core.errors import UserError

from .names import names_apart
from .run import Round, Run
from .runs import find_runs, read_run


@dataclass(frozen=True)
class Child:
    """A trained network.

    Args:
        run: Of its lottery.
        part: The round that has trained it.
        checkpoint: Its weights.
    """
    run: Run
    part: Round
    checkpoint: Path

    @classmethod
    def of(cls, run: Run) -> 'Child':
        """The last ticket of a lottery."""
        return cls(run, run.ticket, run.ticket.checkpoint)

    @property
    def name(self) -> str:
        """The run's; with round and file, if it is not its last."""
        last = self.checkpoint == self.run.ticket.checkpoint
        return self.run.name if last else (
            f'{self.run.name}/{self.part.folder.name}/{self.checkpoint.name}')

    @property
    def told(self) -> Dict[str, Any]:
        """All that tells it from others, but its noise."""
        settings = {key: value for key, value in self.run.own_settings.items() if key != 'noise'}
        return dict(settings, seed=self.run.seed, round=self.part.index,
                    training=self.run.training, dense=self.run.dense.given_digest or 'trained')


@dataclass(frozen=True)
class Pair:
    """Two children, the ends of a line."""
    a: Child
    b: Child

    @property
    def apart(self) -> List[str]:
        """What they differ in beside their noise: none if they are siblings, of one start."""
        a, b = self.a.told, self.b.told
        return [key for key in a if a[key] != b.get(key)]


def find_children(paths: Sequence[Union[str, Path]]) -> Tuple[List[Child], Dict[str, str]]:
    """The last tickets of lotteries and studies, and single checkpoints of their rounds.

    Args:
        paths: As :func:`mmlth.analysis.found.runs.find_runs` takes them, and files
            ``WORK_DIR/round_K/NAME.pth``.

    Returns:
        tuple: The children; and why lotteries are left out, by name.

    Raises:
        UserError: A file is of no finished lottery; a folder holds none.
    """
    files = [path for path in map(Path, paths) if path.suffix == '.pth']
    folders = [path for path in map(Path, paths) if path.suffix != '.pth']
    children, left_out = [_of_file(path) for path in files], {}
    if folders:
        found = find_runs(folders)
        children += [Child.of(run) for run in found.runs]
        left_out = found.left_out
    names = names_apart({child.run.folder: child.run.name for child in children})
    for child in children:
        child.run.name = names[child.run.folder]
    return children, left_out


def _of_file(path: Path) -> Child:
    if not path.is_file():
        raise UserError(f'there is no checkpoint {path}')
    run = read_run(path.absolute().parent.parent)
    for part in run.rounds:
        if part.folder == path.absolute().parent:
            return Child(run, part, part.folder / path.name)
    raise UserError(f'{path} is in no round of the lottery {run.folder}: expected '
                    'WORK_DIR/round_K/NAME.pth')


def left_out_lines(left_out: Mapping[str, str]) -> List[str]:
    """A line each, of what :func:`find_children` leaves out."""
    return [f'{name} is left out: {why}' for name, why in left_out.items()]


def find_pairs(children: Sequence[Child],
               left_out: Optional[Mapping[str, str]] = None) -> List[Pair]:
    """Of two children the pair that they are; of more, all siblings.

    Args:
        children: Of :func:`find_children`.
        left_out: Likewise; told where there is no pair. Default: None.

    Raises:
        UserError: There is no pair.
    """
    if len(children) == 2:
        return [Pair(*children)]
    found = siblings(children)
    if not found:
        raise UserError(
            '\n'.join([*left_out_lines(left_out or {}),
                       f'of these {len(children)} networks no two differ in their SGD noise alone '
                       '(RewindHook(noise=...)): give two, to go from one to the other whatever '
                       'they are']))
    return found


def siblings(children: Sequence[Child]) -> List[Pair]:
    """All pairs that differ in their noise alone: they start from the same weights."""
    return [pair for pair in itertools.starmap(Pair, itertools.combinations(children, 2))
            if not pair.apart]
