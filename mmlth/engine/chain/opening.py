"""Open the chain of a lottery: anew, or where it stands."""
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import torch
from mmengine.config import Config
from mmengine.dist import (broadcast_object_list, get_world_size, init_dist, is_distributed,
                           is_main_process, sync_random_seed)

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import remove_parts
from mmlth.core.lock import file_lock

from ..ranks import say, together
from .given import check_same_files, note_given, seed_of_given
from .going_on import check_processes, set_aside, ticket_digest
from .lottery_spec import LotterySpec
from .state import LotteryState, read_lottery


def init_launcher(cfg: Config) -> None:
    """As ``Runner.setup_env`` does, but before the first file is read or written."""
    launcher = cfg.get('launcher', 'none')
    if launcher != 'none' and not is_distributed():
        dist_cfg = (cfg.get('env_cfg') or {}).get('dist_cfg') or dict(backend='nccl')
        if (launcher == 'pytorch' and dist_cfg.get('backend') == 'gloo'
                and not torch.cuda.is_available()):     # mmengine would set a CUDA device
            torch.distributed.init_process_group('gloo')
        else:
            init_dist(launcher, **dist_cfg)


@contextmanager
def alone(work_dir: Path) -> Iterator[None]:
    """Let no other start train in the work dir meanwhile, of this lottery or another.

    On every rank; rank 0 holds the lock.

    Raises:
        UserError: Another process trains there.
    """
    with ExitStack() as held:
        with together():
            if is_main_process() and not held.enter_context(
                    file_lock(work_dir / paths.LOCK, wait=False)):
                raise UserError(
                    f'another process trains in {work_dir}: a lottery is trained by one start at a '
                    'time. Wait until that one has ended (--resume then goes on where it stands), '
                    'end it, or choose another --work-dir; nothing there was touched.')
        yield


def fix_seed(cfg: Config, spec: LotterySpec, work_dir: Path) -> None:
    """One seed for all rounds and resumptions, where the config leaves it open.

    That of a given dense model, if it tells it: data come in the order of its training.
    """
    randomness = dict(cfg.get('randomness') or {})
    if randomness.get('seed') is None:
        path = work_dir / paths.LOTTERY
        if cfg.get('resume') and path.exists():
            saved = read_lottery(path)['config'].get('randomness') or {}
            randomness['seed'] = saved.get('seed')
        else:
            told = seed_of_given(spec)
            randomness['seed'] = sync_random_seed() if told is None else told
        cfg.randomness = randomness


def open_chain(cfg: Config, spec: LotterySpec, work_dir: Path) -> LotteryState:
    """The chain as it stands, the same on every rank."""
    state = LotteryState(work_dir, cfg, spec)
    problem: Optional[UserError] = None
    try:
        if cfg.get('resume') and state.path.exists():
            resume_chain(state, cfg, spec, work_dir)
        elif holds_results(work_dir):
            way = ('Continue it with --resume' if state.path.exists() else
                   f'Its {paths.LOTTERY}, which says where it stands, is gone: put it back')
            raise UserError(f'{work_dir} already holds a lottery. {way}, or choose another '
                            '--work-dir; nothing there was touched.')
        elif cfg.get('resume') and cfg.get('load_from'):
            raise UserError(
                f'resume=True with load_from={cfg.load_from!r}: a stock training would go on from '
                f'that checkpoint. A lottery goes on where its work dir stands, and {work_dir} '
                'holds none. To begin one with the weights of that file, set resume=False; to draw '
                "tickets of a model that is trained already, name it by PruneHook(dense=...), "
                "train.py's --dense.")
        else:
            state.check_size()
            state.rounds[0]['given'] = note_given(spec)
    except UserError as error:
        problem = error
    shared = [(state.rounds, problem)]
    broadcast_object_list(shared)
    state.rounds, problem = shared[0]
    if problem is not None:
        raise problem
    with together():
        if is_main_process():
            if work_dir.exists():
                remove_parts(work_dir)
            state.save()
    return state


def resume_chain(state: LotteryState, cfg: Config, spec: LotterySpec, work_dir: Path) -> None:
    """Take over where the chain stands, and say what is other than it was."""
    for text in state.resume():
        say(f'Goes on with another config, which trains the same: {text}')
    check_same_files(state.rounds[0]['given'])
    cfg.load_from = state.config.get('load_from')
    others = check_processes(state.rounds, work_dir, cfg, spec, get_world_size())
    if others:
        say(f'Rounds {others} were trained by another number of processes than the '
            f'{get_world_size()} now; auto_scale_lr scales the learning rates.')
    for entry in state.rounds[1:]:
        # Of an older mmlth: the ticket that is there now is what the round has trained.
        if entry['status'] != 'waiting' and entry['ticket_digest'] is None:
            entry['ticket_digest'] = ticket_digest(work_dir, entry['round'])


def drop_stale(state: LotteryState, entry: Dict[str, Any], work_dir: Path) -> None:
    """Begin a round anew whose ticket was drawn again, and differently, since."""
    index = entry['round']
    moved: List[Optional[Path]] = [None]
    with together():
        found = ticket_digest(work_dir, index) if (
            is_main_process() and entry['ticket_digest'] is not None) else None
        if found not in (None, entry['ticket_digest']):
            moved = [set_aside(work_dir, entry)]
            say(f'Round {index} has trained another ticket than round {index - 1} has '
                f'drawn now: it is trained anew, what it had left is in {moved[0]}.')
    broadcast_object_list(moved)
    if moved[0] is not None:
        entry.update(state.waiting(index))


def is_begun(work_dir: Path) -> bool:
    """Whether there is something to resume."""
    return (work_dir / paths.LOTTERY).exists() or holds_results(work_dir)


def holds_results(work_dir: Path) -> bool:
    """Whether a lottery got as far as a file worth keeping, or has finished a round.

    A rewind point alone is none: it may be that of the initialisation.

    Raises:
        UserError: Its ``lottery.json`` cannot be read.
    """
    saved = [path for path in work_dir.glob('round_*/*.pth') if path.name != paths.REWIND]
    path = work_dir / paths.LOTTERY
    return bool(saved) or path.exists() and any(
        entry['status'] == 'done' for entry in read_lottery(path)['rounds'])
