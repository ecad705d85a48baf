"""One process at a time in a folder."""
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Iterator

from .files import AnyPath

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None    # type: ignore[assignment]


@contextmanager
def file_lock(path: AnyPath, wait: bool = True) -> Iterator[bool]:
    """Hold a lock file while the body runs; the file stays.

    The lock is this process's alone, not that of workers which it has forked, and ends with it,
    however that ends. Where files cannot be locked (no ``fcntl``, a file system without locks, a
    folder that cannot be written to) nothing is held.

    Args:
        path: Of the file; its folder is made if need be.
        wait: Until another process lets it go. Default: True.

    Yields:
        bool: False if another process holds it, which is possible without ``wait`` alone.
    """
    with ExitStack() as opened:
        free = True
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = opened.enter_context(open(path, 'a', encoding='utf-8'))
            if fcntl is not None:
                # Not flock: forked workers share that, and may outlive a killed process.
                fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            free = False
        except OSError:
            pass
        yield free
