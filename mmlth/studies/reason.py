"""Why a job has failed, on one line."""
import re
from pathlib import Path
from typing import List

NOTHING = 'it left no output'
# Of torchrun: that a process of it has failed, which that process has told better.
_WRAPPERS = ('ChildFailedError', 'SystemExit')
_TRACEBACK = 'Traceback (most recent call last)'


def failure(log: Path, start: int = 0) -> str:
    """The exception that a job ended with, or else what it said last.

    Args:
        log: Its output.
        start: Where this try begins in it, in bytes: tries are written one behind another.
            Default: 0.
    """
    try:
        with open(log, 'rb') as file:
            file.seek(start)
            text = file.read().decode(errors='replace')
    except OSError:
        return NOTHING
    lines = [re.sub(r'^\[rank\d+\]:\s?', '', line.rstrip()) for line in text.splitlines()]
    lines = [line for line in lines if line.strip()]
    found = _exceptions(lines)
    return found[-1] if found else lines[-1].strip() if lines else NOTHING


def _exceptions(lines: List[str]) -> List[str]:
    """What each traceback ends with, and each message of ours (``Error: ...``)."""
    found, within = [], False
    for index, line in enumerate(lines):
        if _TRACEBACK in line:
            within = True
        elif line.startswith('Error: '):
            found.append(line)
        elif within and not line[0].isspace():
            within = False
            if not line.split(':')[0].endswith(_WRAPPERS):
                # A message that begins on the line below, as that of load_state_dict.
                more = lines[index + 1].strip() if line.endswith(':') and (
                    index + 1 < len(lines)) else ''
                found.append(f'{line} {more}'.strip())
    return found
