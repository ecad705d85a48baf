"""What a work dir holds already, and what a start in it may do."""
import json
import runpy
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
from mmengine.runner import Runner
from toy import lottery_config, run_lottery, toy_config

from mmlth.core import paths
from mmlth.core.errors import UserError


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('finished') / 'run'
    run_lottery(lottery_config(folder, latency=False))
    return folder


def without(finished, folder, *gone):
    shutil.copytree(finished, folder)
    for pattern in gone:
        for path in folder.glob(pattern):
            path.unlink()
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*.*') if path.is_file()}


@pytest.mark.parametrize('gone, resume, message', [
    (['round_0/*.pth'], False, 'Continue it with --resume'),
    (['round_*/*.pth'], False, 'Continue it with --resume'),
    ([paths.LOTTERY], False, 'lottery.json, which says where it stands, is gone: put it back'),
    ([paths.LOTTERY, 'round_1/*.pth'], True, 'is gone: put it back')])
def test_results_are_never_overwritten(tmp_path, finished, gone, resume, message):
    before = without(finished, tmp_path / 'run', *gone)
    with pytest.raises(UserError, match=f'already holds a lottery.*{message}'):
        run_lottery(lottery_config(tmp_path / 'run', randomness=dict(seed=4)), resume)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_rewind_point_alone_is_begun_anew(tmp_path, finished):
    without(finished, tmp_path / 'run', paths.LOTTERY, 'round_*/[!r]*.pth')
    assert [p.name for p in (tmp_path / 'run').rglob('*.pth')] == [paths.REWIND]
    run_lottery(lottery_config(tmp_path / 'run', latency=False))
