"""Every form of a config: subclasses of our hooks, classes as types, pure Python, an AMP base."""
import importlib.util
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import HOOKS, RUNNERS
from toy import lottery_config, toy_config

from mmlth.analysis.found.runs import read_run
from mmlth.core import Ticket, paths
from mmlth.core.errors import UserError
from mmlth.engine import (LotteryRunner, MaskedAmpOptimWrapper, MaskedOptimWrapper, PruneHook,
                          RewindHook)
from mmlth.engine.chain.data_paths import data_paths
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.preflight import check_config
from mmlth.engine.config import load_config
from mmlth.engine.evaluation import evaluation_config
from mmlth.engine.hook_configs import arguments_of
from mmlth.engine.preview import preview
from mmlth.studies.dense import dense_name
from mmlth.studies.settings import apply_setting, read_setting

RECIPE = '''
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='2it'),
    prune=dict(type='mmlth.PruneHook', sparsity=0.5))
'''
PURE = '''
from mmengine.config import read_base
from mmlth.engine import LotteryRunner, MaskedOptimWrapper, PruneHook, RewindHook
with read_base():
    from .base import *
runner_type = LotteryRunner
optim_wrapper.update(type=MaskedOptimWrapper)
default_hooks.update(
    rewind=dict(type=RewindHook, to='2it'), prune=dict(type=PruneHook, sparsity=0.5))
'''


@HOOKS.register_module(force=True)
class TenthHook(PruneHook):
    """Other defaults, one of them set below the signature."""

    def __init__(self, rounds=2, **kwargs):
        super().__init__(rounds=rounds, **{'sparsity': 0.9, **kwargs})


@HOOKS.register_module(name='LateStart', force=True)
class LateHook(RewindHook):
    def __init__(self, to='4it', **kwargs):
        super().__init__(to, **kwargs)


@HOOKS.register_module(force=True)
class DeafHook(PruneHook):
    def __init__(self, sparsity=0.5):
        super().__init__(sparsity)


def subclassed(work_dir, prune='TenthHook', rewind='LateStart'):
    cfg = lottery_config(work_dir)
    cfg.default_hooks.pop('prune')
    cfg.default_hooks.rewind = dict(type=rewind)
    cfg.custom_hooks = [dict(type=prune, floor=0.05)]
    return cfg


@pytest.mark.parametrize('prune, rewind', [('TenthHook', 'LateStart'), (TenthHook, LateHook)])
def test_a_subclass_counts_with_its_own_defaults(tmp_path, prune, rewind):
    RUNNERS.build(subclassed(tmp_path, prune, rewind)).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert len(rounds) == 3 and rounds[2]['scope_sparsity'] == pytest.approx(0.9, abs=1e-3)
    assert Ticket.load(tmp_path / 'round_1' / paths.TICKET).meta['floor'] == 0.05
    assert 'rewind point 4it' in (tmp_path / 'report.md').read_text()
    run, plain = read_run(tmp_path), tmp_path / 'plain'
    assert (run.settings['sparsity'], run.settings['rounds'], run.settings['to']) == (
        0.9, 2, '4it')
    # Nothing of it is part of the dense training, here or in a study.
    RUNNERS.build(lottery_config(plain)).train()
    assert run.training == read_run(plain).training
    ours, theirs = subclassed(tmp_path), lottery_config(tmp_path, custom_hooks=[])
    theirs.experiment_name = ours.experiment_name
    assert dense_name(ours) == dense_name(theirs)


def test_settings_of_a_subclass(tmp_path):
    cfg = subclassed(tmp_path)
    spec = LotterySpec.of(cfg)
    assert spec.shares_dense and spec.rewind.to == '4it' and spec.rounds == 2
    assert spec.classes == {'TenthHook': 'PruneHook', 'LateStart': 'RewindHook'}
    assert read_setting(cfg, 'sparsity') == 0.9 and read_setting(cfg, 'mode') == 'weights'
    apply_setting(cfg, 'sparsity', 0.7)
    assert LotterySpec.of(cfg).prune.sparsities[-1] == 0.7
    assert preview(subclassed(tmp_path))['scope_sparsity'] == pytest.approx(0.9, abs=1e-3)
    apply_setting(cfg, 'control', 'dense')      # nothing is pruned
    dense = preview(cfg)
    assert dense['scope_sparsity'] == dense['network_sparsity'] == 0
    assert arguments_of(TenthHook)['rounds'] == 2
    assert arguments_of(LateHook) == {**arguments_of(RewindHook), 'to': '4it'}
    assert not evaluation_config(cfg).custom_hooks


def two_prunes(cfg):
    cfg.custom_hooks = [dict(type='mmlth.PruneHook')]


def none(cfg):
    cfg.default_hooks.prune = None


def deaf(cfg):
    cfg.default_hooks.prune = dict(type='DeafHook')


def instance(cfg):
    cfg.default_hooks.prune = PruneHook()


def bare_name(cfg):
    cfg.default_hooks.prune = dict(type='PruneHook')     # a stock Runner would not find it


@pytest.mark.parametrize('change, message', [
    (two_prunes, r'2 hooks of the kind PruneHook: default_hooks.prune, custom_hooks\[0\]'),
    (none, 'needs a PruneHook'), (bare_name, 'needs a PruneHook'),
    (deaf, "DeafHook.*unexpected keyword argument 'round'"), (instance, 'is an object')])
def test_hooks_that_no_lottery_can_use(tmp_path, change, message):
    cfg = lottery_config(tmp_path)
    change(cfg)
    with pytest.raises(UserError, match=message):
        check_config(cfg)


def test_hooks_that_are_none_are_no_hooks(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.default_hooks.early_bird, cfg.custom_hooks = None, None
    RUNNERS.build(cfg).train()
    assert read_run(tmp_path).settings['early_bird'] is None


# Pure Python configs

def write_base(folder, wrapper='', pure=False):
    """A dense config in a file, with ``wrapper`` as its last lines."""
    cfg = toy_config(folder / 'work')
    text = cfg.pretty_text
    if pure:
        text = 'from mmengine.optim import AmpOptimWrapper, OptimWrapper\n' + text
        text += "\noptim_wrapper.update(type=OptimWrapper)\n"
    (folder / 'base.py').write_text(f'{text}\n{wrapper}\n')


def test_a_pure_python_config(tmp_path):
    write_base(tmp_path, pure=True)
    (tmp_path / 'leaf.py').write_text(PURE)
    cfg = load_config(str(tmp_path / 'leaf.py'))
    RUNNERS.build(cfg).train()
    config = json.loads((tmp_path / 'work' / paths.LOTTERY).read_text())['config']
    assert config['default_hooks']['prune']['type'] == 'mmlth.engine.PruneHook'
    cfg = load_config(str(tmp_path / 'leaf.py'))
    cfg.resume = True
    RUNNERS.build(cfg).train()
    run = read_run(tmp_path / 'work')
    assert run.settings['to'] == '2it' and run.settings['sparsity'] == 0.5
    (tmp_path / 'text.py').write_text("_base_ = './base.py'" + RECIPE)
    with pytest.raises(UserError, match="'with read_base.*in place of _base_"):
        load_config(str(tmp_path / 'text.py'))


def test_classes_as_types_are_read_by_name(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.runner_type, cfg.optim_wrapper.type = LotteryRunner, MaskedOptimWrapper
    cfg.default_hooks.prune.type, cfg.default_hooks.rewind.type = PruneHook, RewindHook
    RUNNERS.build(cfg).train()
    run = read_run(tmp_path)
    assert run.settings['sparsity'] == 0.8 and run.settings['to'] == '4it'


def test_pictures_with_a_class_as_hook(tmp_path):
    spec = importlib.util.spec_from_file_location(
        'tools_test', Path(__file__).parents[2] / 'tools' / 'test.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    class PoseVisualizationHook:
        pass
    cfg = Config(dict(default_hooks=dict(visualization=dict(type=PoseVisualizationHook))))
    args = type('Args', (), dict(show=False, show_dir='x', wait_time=1, out=None))
    assert tool.add_outputs(cfg, args).default_hooks.visualization.out_dir == 'x'


# A base config that trains with AMP

SCALE = "optim_wrapper.update(type='AmpOptimWrapper', loss_scale=512.0)"
AMP = {'bare': "optim_wrapper.update(type='AmpOptimWrapper')", 'scale': SCALE,
       'none': "optim_wrapper.update(type='OptimWrapper')"}


def wrapper_of(cfg):
    wrapper = LotteryRunner.from_cfg(cfg).cfg.optim_wrapper
    kind = wrapper.type
    return getattr(kind, '__name__', kind).split('.')[-1], wrapper.get('loss_scale')


@pytest.mark.parametrize('base, expected', [
    ('bare', ('MaskedAmpOptimWrapper', 'dynamic')), ('scale', ('MaskedAmpOptimWrapper', 512.0)),
    ('none', ('MaskedOptimWrapper', None))])
def test_amp_of_the_base_is_kept(tmp_path, base, expected):
    write_base(tmp_path, AMP[base])
    (tmp_path / 'leaf.py').write_text("_base_ = './base.py'" + RECIPE)
    (tmp_path / 'more.py').write_text("_base_ = ['./leaf.py']\nrandomness = dict(seed=5)")
    (tmp_path / 'override.py').write_text(RECIPE)
    assert wrapper_of(Config.fromfile(tmp_path / 'leaf.py')) == expected     # a stock train.py
    assert wrapper_of(load_config(str(tmp_path / 'more.py'))) == expected
    assert wrapper_of(load_config(str(tmp_path / 'base.py'),
                                  str(tmp_path / 'override.py'))) == expected


def test_amp_of_a_pure_python_base_is_kept(tmp_path):
    write_base(tmp_path, 'optim_wrapper.update(type=AmpOptimWrapper)', pure=True)
    (tmp_path / 'leaf.py').write_text(PURE)
    assert wrapper_of(load_config(str(tmp_path / 'leaf.py'))) == (
        'MaskedAmpOptimWrapper', 'dynamic')


def test_arguments_of_amp_alone_tell(tmp_path, capsys):
    cfg = lottery_config(tmp_path)
    cfg.optim_wrapper.update(type=MaskedOptimWrapper, dtype='bfloat16')
    assert wrapper_of(cfg)[0] == 'MaskedAmpOptimWrapper'
    assert issubclass(MaskedAmpOptimWrapper, AmpOptimWrapper)
    with pytest.raises(UserError, match='takes no dtype: for AMP'):
        MaskedOptimWrapper(optimizer=None, dtype='bfloat16')
    assert not issubclass(MaskedOptimWrapper, AmpOptimWrapper) and OptimWrapper


def test_what_is_merged_takes_the_place_of_none(tmp_path):
    write_base(tmp_path, 'default_hooks.update(prune=None)')
    (tmp_path / 'override.py').write_text(RECIPE)
    cfg = load_config(str(tmp_path / 'base.py'), str(tmp_path / 'override.py'))
    assert cfg.default_hooks.prune.sparsity == 0.5


# Where the data are

PLAIN = dict(type='CocoDataset', data_root='d', ann_file='a.json')


@pytest.mark.parametrize('dataset, expected', [
    (dict(PLAIN, data_prefix='train'), ['d/a.json', 'd/train']),
    (dict(PLAIN, data_prefix=None), ['d/a.json']),
    (dict(PLAIN, data_prefix=dict(img=Path('train'), seg='x')), ['d/a.json', 'd/train']),
    (dict(PLAIN, data_prefix=dict(img=['one', 'two'])), ['d/a.json', 'd/one', 'd/two']),
    (dict(PLAIN, data_prefix=dict(img='s3://d/train')), ['d/a.json']),
    (dict(PLAIN, data_root=Path('d')), ['d/a.json']),
    (dict(PLAIN, ann_file=['a.json', 'b.json']), ['d/a.json', 'd/b.json']),
    (dict(PLAIN, ann_file=['a.json', 'b.json'], data_root=['d', 'e']), ['d/a.json', 'e/b.json']),
    (dict(type='CustomDataset', data_root='d', data_prefix='train'), ['d/train']),
    (dict(type='CustomDataset', data_prefix='train'), ['train']),
    (dict(type='ImageNet', data_root='d', ann_file=''), ['d']),
    (dict(type='RepeatDataset', times=2, dataset=PLAIN), ['d/a.json']),
    (dict(type='ConcatDataset', datasets=[PLAIN, dict(dataset=[PLAIN])]), ['d/a.json'] * 2),
    ([PLAIN, PLAIN], ['d/a.json'] * 2),
    (dict(PLAIN, backend_args=dict(backend='local')), ['d/a.json']),
    (dict(PLAIN, backend_args=dict(backend='petrel')), []),
    (dict(PLAIN, data_root='s3://d/'), []), (dict(type='ToyDataset'), []), (None, [])])
def test_paths_of_a_data_set(dataset, expected):
    dataset = Config(dict(dataset=dataset)).dataset
    assert list(data_paths(dataset)) == expected
