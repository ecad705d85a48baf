"""The kernels without PyTorch: under sanitizers, and for ARM in an emulator."""
import shutil
import subprocess

import pytest

from mmlth.sparse.build import SOURCES

TEST = SOURCES.parents[2] / 'tests' / 'test_sparse' / 'kernel_test.cpp'
KERNELS = [str(SOURCES / f'{name}.cpp') for name in ('avx512', 'avx2', 'baseline', 'choose')]


def output(folder, compiler, flags, runner=()):
    """What the stand-alone test says, compiled with these flags."""
    for tool in (compiler, *runner):
        if shutil.which(tool) is None:
            pytest.skip(f'there is no {tool}')
    program = str(folder / 'kernel_test')
    subprocess.run([compiler, '-std=c++17', '-ffp-contract=fast', *flags, f'-I{SOURCES}',
                    str(TEST), *KERNELS, '-o', program], check=True)
    done = subprocess.run([*runner, program, '100'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_read_or_write_is_out_of_bounds(tmp_path):
    said = output(tmp_path, 'g++', ['-O0', '-fsanitize=address,undefined',
                                    '-fno-sanitize-recover=undefined'])
    assert 'ok baseline' in said


def test_arm(tmp_path):
    """Debian's g++-aarch64-linux-gnu and qemu-user."""
    flags = ['-O1', '-static']
    assert output(tmp_path, 'aarch64-linux-gnu-g++', flags, ['qemu-aarch64']) == 'ok baseline\n'
