"""How long trainings take, from those that are finished."""
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Optional

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.state import read_lottery

from .study import Study


def training_seconds(study: Study, root: Path) -> Dict[str, float]:
    """Base -> seconds of one whole training of it, the median of all finished ones.

    Those of other studies in the same root count too. Bases without any are left out.
    """
    found = {}
    for base in {run.base for run in study.all_runs}:
        known = [entry['seconds'] for path in (Path(root) / 'runs').glob(f'{base}_*')
                 for entry in _rounds(path / paths.LOTTERY)]
        if known:
            found[base] = median(known)
    return found


def _rounds(lottery: Path) -> List[Dict[str, Any]]:
    """The finished rounds of a lottery that were trained to their end."""
    try:
        rounds = read_lottery(lottery)['rounds']
    except UserError:
        return []
    return [entry for entry in rounds if entry['status'] == 'done' and entry['seconds'] > 0
            and entry['iterations'] == entry['planned_iterations'] > 0 and not entry.get('given')]


def text_of(seconds: Optional[float]) -> str:
    """A duration as people say it."""
    if seconds is None:
        return 'unknown'
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = seconds / 60
    return f'{minutes:.0f} min' if minutes < 90 else f'{minutes / 60:.1f} h'
