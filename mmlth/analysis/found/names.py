"""What lotteries are called, so that no two of one report have the same name."""
from collections import Counter
from pathlib import Path
from typing import Dict, Iterable, Mapping, Optional


def name_of(folder: Path, study: Optional[str]) -> str:
    """Its folder's name, behind that of its study."""
    return f'{study}/{folder.name}' if study else folder.name


def names_apart(names: Mapping[Path, str]) -> Dict[Path, str]:
    """The names of folders; where several share one, behind as many parents as tell them apart.

    Args:
        names: By folder; of :func:`name_of`.
    """
    found, depth = dict(names), 1
    shared = _shared(found)
    while shared and depth < max(len(folder.absolute().parts) for folder in shared):
        depth += 1
        found.update({folder: Path(*folder.absolute().parts[-depth:]).as_posix()
                      for folder in shared})
        shared = _shared(found)
    return found


def _shared(names: Mapping[Path, str]) -> Iterable[Path]:
    """The folders whose name another folder has too."""
    counts = Counter(name for name, _ in {(name, folder.resolve())
                                          for folder, name in names.items()})
    return [folder for folder, name in names.items() if counts[name] > 1]
