"""The lotteries in a root, by the base config that they were made of."""
from pathlib import Path
from typing import Dict, List, Optional

from mmlth.core import paths

from .study import Study


def lotteries_of(study: Study, root: Path) -> Dict[str, List[Path]]:
    """Base -> folders of its lotteries, finished or not, those of other studies too.

    A run's name begins with that of its base, but so does the name of a base with a longer name.

    Args:
        study: Its bases are looked for.
        root: Where runs are.
    """
    own = {run.name: run.base for run in study.all_runs}
    found: Dict[str, List[Path]] = {base: [] for base in sorted(set(own.values()))}
    for folder in sorted(file.parent for file in (Path(root) / 'runs').glob(f'*/{paths.LOTTERY}')):
        base = own.get(folder.name) or _base_of(folder)
        if base in found:
            found[base].append(folder)
    return found


def _base_of(folder: Path) -> Optional[str]:
    """Of a run of any study: a Runner writes its config into each round, under the file's name."""
    return next((path.stem for path in sorted(folder.glob('round_*/*.py'))), None)
