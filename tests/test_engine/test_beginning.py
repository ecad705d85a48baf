"""What a work dir holds already, and what a start in it may do."""
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


def test_the_checkpoint_of_a_stock_training_is_not_gone_on_from(tmp_path):
    """MMDetection's --resume CHECKPOINT sets both."""
    cfg = toy_config(tmp_path / 'dense', iters=4, val=False)
    Runner.from_cfg(cfg).train()
    dense = str(tmp_path / 'dense/iter_4.pth')
    cfg = lottery_config(tmp_path / 'run', load_from=dense, latency=False)
    with pytest.raises(UserError, match='resume=True with load_from=.*set resume=False'):
        run_lottery(cfg, resume=True)
    run_lottery(cfg)        # a start with its weights
    (tmp_path / 'run/round_1' / paths.FINAL).unlink()
    run_lottery(cfg, resume=True)


@pytest.mark.parametrize('runner, option, begun, expected', [
    (None, 'auto', False, (True, None)), (None, 'x.pth', False, (True, 'x.pth')),
    ('Runner', 'auto', False, (True, None)), ('FlexibleRunner', 'x.pth', False, (True, 'x.pth')),
    ('mmlth.LotteryRunner', 'auto', False, (False, 'weights.pth')),
    ('mmlth.LotteryRunner', 'auto', True, (True, 'weights.pth')),
    ('mmlth.LotteryRunner', 'x.pth', True, 'without a checkpoint')])
def test_resume_of_the_tool(tmp_path, runner, option, begun, expected):
    tool = runpy.run_path(str(Path(__file__).parents[2] / 'tools/train.py'))
    content = dict(load_from='weights.pth', default_scope='mmengine')
    (tmp_path / 'config.py').write_text('\n'.join(
        f'{key} = {value!r}' for key, value in {**content, **(
            dict(runner_type=runner) if runner else {})}.items()))
    if begun:
        (tmp_path / paths.LOTTERY).touch()
    args = Namespace(config=str(tmp_path / 'config.py'), lth=None, cfg_options=None, dense=None,
                     rewind=None, work_dir=str(tmp_path), amp=False, auto_scale_lr=False,
                     resume=option, launcher='none')
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            tool['build_config'](args)
    else:
        cfg = tool['build_config'](args)
        assert (cfg.resume, cfg.load_from) == expected


def test_a_config_too_large_to_be_read_again_is_refused(tmp_path):
    cfg = lottery_config(tmp_path, train_dataloader=dict(dataset=dict(
        indices=list(range(500_000)))))
    with pytest.raises(UserError, match='MiB in lottery.json.*most of it is train_dataloader'):
        run_lottery(cfg)
    assert not (tmp_path / paths.LOTTERY).exists()
