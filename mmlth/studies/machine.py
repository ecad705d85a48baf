"""The cores and the memory of this machine."""
import os
from typing import Optional


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, 'sched_getaffinity', None)       # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def available_memory() -> Optional[float]:
    """GB of memory that a new process can have; None where it cannot be told."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().available / 1e9


def total_memory() -> Optional[float]:
    """GB of memory of this machine; None where it cannot be told."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().total / 1e9
