"""How long the trainings of a run are, before they are run and after."""
from pathlib import Path
from typing import Any, List, Mapping

from mmlth.analysis.found.trainings import read_config
from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration
from mmlth.engine.chain.lengths import lengths
from mmlth.engine.chain.lottery_spec import settings_of
from mmlth.engine.chain.rounds import round_config

from .study import Run


def schedule(cfg: Mapping[str, Any]) -> float:
    """Steps of a config's training: epochs, or iterations where it counts them."""
    loop = cfg.get('train_cfg') or {}
    return float(loop.get('max_epochs') or loop.get('max_iters') or 1)


def planned_steps(run: Run) -> List[float]:
    """Steps of each round of a lottery, the dense one first, whoever trains it.

    A ticket that resumes the schedule does not train what lies before its rewind point. Where
    that is given in the other unit, iterations of epochs, it is taken to be at the start. An
    EarlyBirdHook that stops at an iteration ends the dense training there; when one that waits for
    masks to agree will, nobody knows.
    """
    spec, whole, found = run.spec, schedule(run.cfg), [schedule(run.cfg)]
    stop = (spec.early_bird and spec.early_bird.stop) or {}
    if 'at' in stop:
        found[0] = _before(str(stop['at']), run.cfg.train_cfg, whole) or whole
    for round in range(1, spec.rounds + 1):
        cfg = round_config(run.cfg, spec, Path(), round, run.seed)
        before = _before(str(spec.rewind.to), run.cfg.train_cfg, whole) if cfg.get('resume') else 0
        found.append(max(0.0, schedule(cfg) - before))
    return found


def trained_steps(lottery: Mapping[str, Any]) -> List[float]:
    """The same of a ``lottery.json``, as they were trained; 0 of one that was not."""
    cfg, rounds = read_config(lottery), lottery['rounds']
    whole = max(entry['planned_iterations'] for entry in rounds)
    found = lengths(rounds, settings_of(lottery), cfg)
    return [schedule(cfg) * (length.own or 0) / whole if whole else 0.0 for length in found]


def _before(to: str, loop: Mapping[str, Any], whole: float) -> float:
    """Steps before the iteration ``to``; 0 where they cannot be told."""
    unit = 'ep' if loop.get('max_epochs') else 'it'
    if not to.endswith((unit, '%')):
        return 0.0
    try:
        return float(rewind_iteration(to, int(whole), 1))
    except UserError:       # told before anything runs
        return 0.0
