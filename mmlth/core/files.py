"""Files are written whole or not at all: temporary name, then rename."""
import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Iterator, Optional, Union

from .errors import UserError

AnyPath = Union[str, 'os.PathLike[str]']


@contextmanager
def whole_file(path: AnyPath) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success.

    On an exception the temporary file is removed and an earlier ``path`` stays as it
    was. The file's bytes are on disk before the rename, so that a crash of the
    machine cannot leave an empty file under the final name.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise UserError(
            f'{path} could not be written: {error.strerror or error}{_free(path)}. What was there '
            'before is unchanged. Make room or choose another folder, and run again (a '
            'lottery: with --resume).') from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def why_not_writable(folder: AnyPath) -> Optional[str]:
    """Why no file can be written into a folder, which is made if need be; None if one can."""
    try:
        write_text(Path(folder) / '.writable', '')
        (Path(folder) / '.writable').unlink()
    except (UserError, OSError) as error:
        return str(error)
    return None


def link(source: AnyPath, path: AnyPath) -> None:
    """Let ``path`` be the file ``source``, without a copy where hard links are possible."""
    with whole_file(path) as part:
        try:
            os.link(source, part)
        except OSError:     # another file system, or one without hard links
            shutil.copyfile(source, part)


def remove_parts(folder: AnyPath) -> None:
    """Remove the temporary files that a killed process has left in or below ``folder``."""
    for part in Path(folder).rglob('.*.part'):
        part.unlink(missing_ok=True)


def _free(path: Path) -> str:
    """How much room there is."""
    try:
        return f' ({shutil.disk_usage(path.parent).free / 1e6:,.0f} MB are free there)'
    except OSError:
        return ''


def write_text(path: AnyPath, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding='utf-8')


def write_json(path: AnyPath, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """``value`` as indented JSON, of ASCII characters alone."""
    return json.dumps(value, indent=2) + '\n'
