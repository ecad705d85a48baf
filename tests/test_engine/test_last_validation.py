"""No validation is left out, none comes after the backends are closed, and all metrics count."""
import json

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, METRICS, RUNNERS, VISBACKENDS
from mmengine.visualization import LocalVisBackend
from toy import ToyAccuracy, lottery_config, run_lottery

from mmlth.core import paths
from mmlth.engine.chain.final import numbers
from mmlth.studies.dense import train_dense


@VISBACKENDS.register_module(force=True)
class StrictBackend(LocalVisBackend):
    """As WandbVisBackend: once closed it takes nothing."""
    is_closed = False

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        assert not self.is_closed, 'you must call init'
        super().add_scalars(scalar_dict, step, file_path, **kwargs)

    def close(self):
        self.is_closed = True


STRICT = dict(type='Visualizer', vis_backends=[dict(type='StrictBackend')])
EARLY_BIRD = dict(early_bird=dict(type='mmlth.EarlyBirdHook', interval=2, stop=dict(at='50%')))


def rounds_of(work_dir):
    return json.loads((work_dir / paths.LOTTERY).read_text())['rounds']


@pytest.mark.parametrize('options', [
    dict(default_hooks=EARLY_BIRD),
    dict(default_hooks=EARLY_BIRD, custom_hooks=[dict(type='EMAHook', momentum=0.3)]),
    dict(train_cfg=dict(val_begin=100)),
    dict(default_hooks=EARLY_BIRD, by_epoch=True, train_cfg=dict(val_interval=5)),
], ids=['early_bird', 'ema', 'val_begin', 'epochs'])
def test_the_end_is_validated_while_backends_are_open(tmp_path, options):
    cfg = lottery_config(tmp_path, to='2it', visualizer=STRICT, **options)
    run_lottery(cfg)
    for entry in rounds_of(tmp_path):
        assert entry['status'] == 'done'
        final = str(tmp_path / entry['checkpoint'])
        cfg.load_from, cfg.work_dir = final, str(tmp_path / f'val_{entry["round"]}')
        cfg.experiment_name = f'{cfg.experiment_name}_{entry["round"]}'
        assert RUNNERS.build(cfg).val() == entry['metrics']     # of the weights in final.pth


def test_a_shared_dense_training_is_validated_while_backends_are_open(tmp_path):
    cfg = lottery_config(tmp_path, visualizer=STRICT, train_cfg=dict(val_begin=100))
    train_dense(tmp_path, cfg, ['0it'])
    assert set(json.loads((tmp_path / 'dense.json').read_text())['metrics']) == {'toy/AP'}


class Cut(Exception):
    pass


@HOOKS.register_module(force=True)
class CutInValidation(Hook):
    """Stops the first validation of a round after one batch."""
    priority = 'VERY_HIGH'
    cut_in = None       # a round

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.work_dir.endswith(str(self.cut_in)) and runner.iter >= 4:
            raise Cut


@pytest.mark.parametrize('to, iters, cut_in, schedule', [
    ('1ep', 4, 0, 'restart'), ('1ep', 12, 0, 'resume'), ('2ep', 12, 0, 'resume'),
    ('1ep', 12, 1, 'resume')])
def test_a_validation_that_was_cut_off_is_made_up_for(
        tmp_path, monkeypatch, to, iters, cut_in, schedule):
    """A scheduler follows its metric, a best checkpoint hangs on it."""
    def config(name):
        cfg = lottery_config(
            tmp_path / name, by_epoch=True, iters=iters, to=to, schedule=schedule,
            custom_hooks=[dict(type='CutInValidation')],
            default_hooks=dict(checkpoint=dict(save_best='toy/AP', rule='less')))
        cfg.param_scheduler = [dict(type='ReduceOnPlateauLR', monitor='toy/AP', rule='less',
                                    threshold=100, patience=0, factor=0.5)]
        return cfg

    run_lottery(config('whole'))
    monkeypatch.setattr(CutInValidation, 'cut_in', cut_in)
    cfg = config('cut')
    with pytest.raises(Cut):
        run_lottery(cfg)
    monkeypatch.setattr(CutInValidation, 'cut_in', None)
    run_lottery(cfg, resume=True)
    for r in (0, 1):
        whole, cut = (tmp_path / name / f'round_{r}' for name in ('whole', 'cut'))
        assert {p.name for p in whole.glob('best_*')} == {p.name for p in cut.glob('best_*')}
        first, second = (torch.load(folder / paths.FINAL, weights_only=True)['state_dict']
                         for folder in (whole, cut))
        assert all(torch.equal(first[name], second[name]) for name in first), r
    assert [e['metrics'] for e in rounds_of(tmp_path / 'whole')] == [
        e['metrics'] for e in rounds_of(tmp_path / 'cut')]


def test_a_validation_made_up_for_may_end_the_training(tmp_path, monkeypatch):
    cfg = lottery_config(tmp_path, by_epoch=True, iters=12, to='0it', custom_hooks=[
        dict(type='CutInValidation'),
        dict(type='EarlyStoppingHook', monitor='toy/AP', rule='greater', stopping_threshold=-1.0)])
    monkeypatch.setattr(CutInValidation, 'cut_in', 0)
    with pytest.raises(Cut):
        run_lottery(cfg)
    monkeypatch.setattr(CutInValidation, 'cut_in', None)
    run_lottery(cfg, resume=True)
    assert [(e['iterations'], e['ended_by']) for e in rounds_of(tmp_path)] == [
        (4, 'EarlyStoppingHook')] * 2


def test_metrics_in_any_type_are_numbers(tmp_path):
    @METRICS.register_module(force=True)
    class Typed(ToyAccuracy):
        def compute_metrics(self, results):
            value = super().compute_metrics(results)['AP']
            return dict(AP=torch.tensor(value), scalar=np.float32(value), array=np.array([[value]]),
                        half=torch.tensor([value], dtype=torch.bfloat16), plain=value)

    run_lottery(lottery_config(tmp_path, val_evaluator=dict(type='Typed')))
    for entry in rounds_of(tmp_path):
        assert set(entry['metrics']) == {f'toy/{n}' for n in ('AP', 'scalar', 'array', 'half',
                                                              'plain')}
        value = entry['metrics']['toy/plain']
        assert entry['metrics']['toy/AP'] == pytest.approx(value)


def test_what_is_no_number_is_left_out():
    assert numbers(dict(a=True, b=np.array([1, 2]), c='x', d=None, e=torch.ones(2), f=np.str_('1'),
                        g=np.array(2), h=np.bool_(False), i=[1])) == dict(a=1.0, g=2.0, h=0.0)
