"""One process at a time in a folder, where several studies share it."""
import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the folder, then hold it.

    The lock ends with the process, however that ends. On a file system without locks nothing is
    held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.lock', 'a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass
        yield
