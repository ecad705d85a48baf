"""The compiled kernels: built once per source, PyTorch and compiler, and kept.

This file, run as a script, builds them ahead of the first use.
"""
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Optional
from unittest import mock

import torch

SOURCES = Path(__file__).parent / 'kernels'
# Products are added in one rounding, as the processor can; no -march: what is compiled here
# may be run on another machine that shares the folder.
FLAGS = ('-O3', '-ffp-contract=fast', '-fopenmp')


@lru_cache(maxsize=None)
def unavailable() -> Optional[str]:
    """Load the operators ``torch.ops.mmlth``, building them if need be (about a minute).

    Returns:
        None if they are there, else one sentence that says why not. A model stays dense then.
    """
    try:
        path = _folder() / 'kernels.so'
        if path.is_file():
            torch.ops.load_library(path)
        else:
            _build(path)
    except (OSError, RuntimeError, ImportError, subprocess.CalledProcessError) as error:
        lines = str(error).splitlines()     # a compiler says a lot; its first error is enough
        cause = next((line for line in lines if 'error:' in line), lines[0] if lines else '')
        return f'the sparse kernels cannot be built or loaded, so all layers stay dense: {cause}'
    return None


def _compiler() -> str:
    """The C++ compiler that PyTorch will call.

    Raises:
        OSError: There is none.
    """
    name = os.environ.get('CXX', 'c++')
    if shutil.which(name.split()[0]) is None:
        raise OSError(f'there is no C++ compiler {name!r} (on Debian: apt-get install g++)')
    return name


def _folder() -> Path:
    """Where the library of this source, PyTorch, compiler and processor family stands."""
    version = subprocess.run([*_compiler().split(), '--version'], capture_output=True, text=True,
                             check=True).stdout
    digest = hashlib.sha256(repr((torch.__version__, version, FLAGS)).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b'\0' + path.read_bytes() + b'\0')
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'mmlth'
    return (Path(os.environ.get('MMLTH_CACHE') or cache)
            / f'sparse-{platform.machine()}-{digest.hexdigest()[:16]}')


def _build(path: Path) -> None:
    """Compile in a folder of its own, load, then put the library under its name.

    Of two processes that build at once the second waits and loads what the first built.
    """
    from filelock import FileLock
    from torch.utils.cpp_extension import load
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(path.parent / 'lock')):
        if path.is_file():
            torch.ops.load_library(path)
            return
        # Ninja stands beside the interpreter of a virtual environment that is not activated.
        tools = f'{Path(sys.executable).parent}{os.pathsep}{os.environ.get("PATH", "")}'
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, \
                mock.patch.dict(os.environ, PATH=tools):
            load(name='kernels', sources=[str(p) for p in sorted(SOURCES.glob('*.cpp'))],
                 extra_cflags=list(FLAGS), extra_ldflags=['-fopenmp'], build_directory=folder,
                 is_python_module=False)
            os.replace(Path(folder) / 'kernels.so', path)


if __name__ == '__main__':
    raise SystemExit(unavailable())
