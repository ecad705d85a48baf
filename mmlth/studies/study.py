"""What a study is: parts, each with its settings, and the runs that they come to."""
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmengine.config import Config

from mmlth.core.errors import UserError
from mmlth.engine.chain.lottery_spec import LotterySpec

from .dense import dense_name
from .networks import network_of
from .settings import fill_sources


@dataclass
class Run:
    """One lottery of a study.

    Args:
        parts: What it sets in each part of the study that it belongs to, e.g.
            ``{'allocation': {'sparsity': 0.9, 'seed': 1}}``; none for a source alone.
        cfg: Its whole config, in which ``{NAME}`` stands for the folder of the run of that name.
        name: Its folder's name, from what differs from the base config alone.
        base: The file name of that config, without suffix.
        metrics: What to compare, as the evaluator names them.
        rewind_points: What its dense training keeps besides what the runs need.
        sources: The runs whose tickets or weights it starts from, by their name in the study.
    """
    parts: Dict[str, Dict[str, Any]]
    cfg: Config
    name: str
    base: str = ''
    metrics: List[str] = field(default_factory=list)
    rewind_points: List[str] = field(default_factory=list)
    sources: Dict[str, 'Run'] = field(default_factory=dict)

    @cached_property
    def dense(self) -> str:
        """The name of its dense training; the same for runs that begin with the same one."""
        return dense_name(self.cfg)

    @cached_property
    def spec(self) -> LotterySpec:
        """What its hooks are set to; sources are the names of their runs."""
        return LotterySpec.of(self.cfg)

    @cached_property
    def network(self) -> str:
        """Equal for runs of a base that are as large and as fast."""
        return network_of(self.cfg)

    @property
    def seed(self) -> int:
        """Of its trainings."""
        return self.cfg.randomness.seed

    def located(self, root: Path) -> Config:
        """Its config, with the folders of its sources below ``root``."""
        folders = {run.name: str(run_dir(root, run)) for run in self.sources.values()}
        return Config(fill_sources(self.cfg.to_dict(), folders), filename=self.cfg.filename)


@dataclass
class Study:
    """A study file, read and expanded.

    Args:
        name: The file's name without suffix.
        parts: Each part's combinations of settings, in the file's order.
        runs: Every run of the parts once, though it may belong to several.
        sources: Name -> seed -> the run to be made first.
        source_settings: Name -> its settings, and ``base``.
        slurm: Parameters of each job on a cluster, as sbatch calls them.
        paper: The table or figure it repeats.
    """
    name: str
    parts: Dict[str, List[Dict[str, Any]]] = field(default_factory=dict)
    runs: List[Run] = field(default_factory=list)
    sources: Dict[str, Dict[int, Run]] = field(default_factory=dict)
    source_settings: Dict[str, Dict[str, Any]] = field(default_factory=dict)
    slurm: Dict[str, Any] = field(default_factory=dict)
    paper: str = ''

    @property
    def all_runs(self) -> List[Run]:
        """Those of the parts and their sources, each once and behind its sources."""
        own: Dict[str, Run] = {run.name: run for run in self.runs}
        found: Dict[str, Run] = {}
        for run in self.runs:
            for needed in (*run.sources.values(), run):
                found.setdefault(needed.name, own.get(needed.name, needed))
        return list(found.values())


def run_dir(root: Path, run: Run) -> Path:
    """Where a run's lottery is."""
    return Path(root) / 'runs' / run.name


def find_run(study: Study, name: str) -> Run:
    """The run of that name.

    Raises:
        UserError: The study has none.
    """
    found: Optional[Run] = next((run for run in study.all_runs if run.name == name), None)
    if found is None:
        raise UserError(f'study {study.name} has no run {name}')
    return found
