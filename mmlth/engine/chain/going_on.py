"""What must hold for a lottery to go on where it stands."""
import shutil
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from mmlth.core import Ticket, paths
from mmlth.core.errors import UserError
from mmlth.core.files import write_json

from .lottery_spec import LotterySpec


def is_done(work_dir: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a round need not be trained again."""
    return entry['status'] == 'done' and (work_dir / entry['checkpoint']).exists()


def check_files(cfg: Config, folder: Path, index: int) -> None:
    """What the round starts from must be there."""
    wanted = [] if index == 0 else [folder / paths.TICKET]
    if cfg.get('resume') and cfg.get('load_from'):
        wanted.append(Path(cfg.load_from))
    for path in wanted:
        if not path.is_file():
            raise UserError(
                f'round {index} cannot begin: {path} is gone, which an earlier round has '
                'left. Put it back; or, to train that round again, remove its final.pth and '
                'start with --resume.')


def check_processes(rounds: Sequence[Mapping[str, Any]], work_dir: Path, cfg: Config,
                    spec: LotterySpec, processes: int) -> List[int]:
    """The rounds that another number of processes has trained, with another effective batch.

    Args:
        rounds: Of the chain, as it stands.
        work_dir: The chain's.
        cfg: The chain's.
        spec: What its hooks are set to.
        processes: Of this start.

    Raises:
        UserError: There are some, and the learning rates do not follow by ``auto_scale_lr``: it is
            off, or what comes next goes on with an optimizer that has its rates already.
    """
    left = [entry['round'] for entry in rounds if not is_done(work_dir, entry)]
    begun = [(paths.round_dir(work_dir, index) / paths.RESUME).is_file() for index in left]
    trained = [entry for entry in rounds
               if entry['round'] not in left or begun[left.index(entry['round'])]]
    other = {entry['round']: entry['processes'] for entry in trained
             if entry['processes'] not in (None, processes)}
    if not other or not left:
        return []
    goes_on = begun[0] or spec.rewind.resumes
    if not (cfg.get('auto_scale_lr') or {}).get('enable') or goes_on:
        index, before = next(iter(other.items()))
        batch = (cfg.get('train_dataloader') or {}).get('batch_size')
        raise UserError(
            f'{work_dir}: round {index} was trained by {before} process(es), this start has '
            f'{processes}: the effective batch would be {processes} x {batch} instead of '
            f'{before} x {batch}, and the rounds could not be compared. Start it with {before}. '
            '(With auto_scale_lr enabled a round may begin with another number, its learning '
            "rates scaled, but not go on from a checkpoint or by RewindHook(schedule='resume').)")
    return list(other)


def ticket_digest(work_dir: Path, index: int) -> Optional[str]:
    """Of the ticket that is there for a round; None if there is none that can be read."""
    try:
        return Ticket.load(paths.round_dir(work_dir, index) / paths.TICKET).digest()
    except UserError:       # the hook that needs it says why
        return None


def set_aside(work_dir: Path, entry: Dict[str, Any]) -> Path:
    """Move what a round has left of another ticket than is there now; return where to.

    The ticket itself stays. What ``lottery.json`` says of the round goes along.
    """
    folder = paths.round_dir(work_dir, entry['round'])
    number, aside = 1, work_dir / paths.STALE / folder.name
    while aside.exists():
        number += 1
        aside = aside.with_name(f'{folder.name}_{number}')
    write_json(aside / paths.STALE_ENTRY, entry)
    for path in sorted(folder.iterdir()):
        if path.name != paths.TICKET:
            shutil.move(path, aside / path.name)    # a round may be a link to another disk
    return aside
