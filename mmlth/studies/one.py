"""One job of a study in this process: a dense training, or a lottery from where it stands."""
import os
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Iterator, List

import torch
from mmengine.config import Config
from mmengine.dist import barrier, init_dist, is_distributed

from mmlth.core import paths
from mmlth.core.lock import file_lock
from mmlth.engine.chain.lottery_runner import LotteryRunner
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.opening import is_begun
from mmlth.engine.chain.state import read_lottery
from mmlth.engine.ranks import leave_group

from . import dense
from .study import Run, Study, find_run, run_dir


def run_one(study: Study, root: Path, name: str, launcher: str = 'none') -> None:
    """Run one lottery of the study."""
    run = find_run(study, name)
    folder, cfg = run_dir(root, run), run.located(root)
    with _alone(folder, run.cfg, launcher):
        if is_finished(root, run):      # by another study, while this process waited
            return
        cfg.work_dir, cfg.launcher = str(folder), launcher
        if run.spec.shares_dense:
            dense.adopt(dense.find(root, run.dense, dense_points(study, run)), folder, cfg,
                        LotterySpec.of(cfg))
        cfg.resume = is_begun(folder)
        LotteryRunner(cfg).train()


def run_dense(study: Study, root: Path, name: str, launcher: str = 'none') -> None:
    """Run the dense training that the run ``name`` begins with."""
    run = find_run(study, name)
    points = dense_points(study, run)
    with _alone(Path(root) / 'dense' / run.dense, run.cfg, launcher):
        # Looked for now: while this process waited, another study may have trained it.
        folder = dense.find(root, run.dense, points)
        if not dense.finished(folder):
            dense.train_dense(folder, run.located(root), points, launcher)


def dense_points(study: Study, run: Run) -> List[str]:
    """The rewind points of the dense training that ``run`` shares with others of its study."""
    shared = [other for other in study.all_runs
              if other.dense == run.dense and other.spec.shares_dense]
    return sorted({point for other in shared
                   for point in (dense.rewind_to(other.spec), *other.rewind_points)})


def is_finished(root: Path, run: Run) -> bool:
    """Whether all its rounds are done."""
    path = run_dir(root, run) / paths.LOTTERY
    return path.exists() and all(
        entry['status'] == 'done' for entry in read_lottery(path)['rounds'])


@contextmanager
def _alone(folder: Path, cfg: Config, launcher: str) -> Iterator[None]:
    """Hold the folder, and the process group that the launcher asks for."""
    first = int(os.environ.get('RANK', 0)) == 0
    if launcher != 'none' and torch.cuda.is_available():
        init_dist(launcher, **cfg.get('env_cfg', {}).get('dist_cfg', dict(backend='nccl')))
    elif launcher != 'none':    # mmengine's own start-up of a launcher asks for CUDA
        torch.distributed.init_process_group('gloo')
    with file_lock(folder / '.lock') if first or launcher == 'none' else nullcontext():
        if is_distributed():    # nobody looks at the folder before rank 0 holds it
            barrier()
        yield
    leave_group()
