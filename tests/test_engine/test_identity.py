"""A ticket that prunes nothing is the dense training, bit for bit, in any way of training."""
import random
from itertools import combinations

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from test_ways_of_training import amp  # noqa: F401
from toy import lottery_config, run_lottery

from mmlth.core import paths

# One epoch is 4 iterations, a training 24. Schedulers are built anew for each training.
ITERS, EPOCH = 24, 4
WARM_UP = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=6)
BY_EPOCH = dict(type='MultiStepLR', by_epoch=True, milestones=[2, 4], gamma=0.1)
SCHEDULERS = dict(
    iterations=[WARM_UP, dict(type='MultiStepLR', by_epoch=False, milestones=[9, 15], gamma=0.1)],
    epochs=[BY_EPOCH],
    both=[WARM_UP, BY_EPOCH],
    cosine=[WARM_UP, dict(type='CosineAnnealingLR', by_epoch=True, begin=2, end=6, T_max=4,
                          convert_to_iter_based=True)],
    momentum=[BY_EPOCH, dict(type='StepMomentum', by_epoch=True, step_size=1, gamma=0.9),
              dict(type='LinearMomentum', by_epoch=False, start_factor=0.5, end=10)],
    plateau=[dict(type='ReduceOnPlateauLR', monitor='toy/AP', rule='less', threshold=100,
                  patience=0, factor=0.5)],
    onecycle=[dict(type='OneCycleLR', eta_max=0.1, total_steps=ITERS, by_epoch=False)])
EMA = dict(type='EMAHook', momentum=0.3)
FACTORS = dict(
    by_epoch=[False, True],
    schedulers=list(SCHEDULERS),
    optimizer=[dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01),
               dict(type='AdamW', lr=0.01, weight_decay=0.1)],
    paramwise=[None, dict(norm_decay_mult=0, bias_lr_mult=2,
                          custom_keys={'head': dict(lr_mult=0.5)})],
    ema=[None, dict(EMA, begin_iter=6),
         dict(type='EMAHook', ema_type='mmdet.ExpMomentumEMA', gamma=5, update_buffers=True)],
    accumulate=[1, 3],
    amp=[False, True],
    to=['0it', '3it', '1ep', '50%'])


def config(work_dir, way, sparsity=0.0):
    """The lottery that trains in ``way``, a value for each of FACTORS."""
    amp_type = 'mmlth.MaskedAmpOptimWrapper' if way['amp'] else 'mmlth.MaskedOptimWrapper'
    cfg = lottery_config(
        work_dir, sparsity=sparsity, to=way['to'], schedule='resume', by_epoch=way['by_epoch'],
        iters=ITERS, optimizer=way['optimizer'],
        custom_hooks=[way['ema']] if way['ema'] else [])
    cfg.param_scheduler = SCHEDULERS[way['schedulers']]
    cfg.optim_wrapper.update(type=amp_type, paramwise_cfg=way['paramwise'],
                             accumulative_counts=way['accumulate'])
    if way['amp']:
        cfg.optim_wrapper.dtype = 'bfloat16'
    cfg.train_cfg.val_interval = 1 if way['by_epoch'] else EPOCH
    cfg.default_hooks.checkpoint.interval = 1 if way['by_epoch'] else 5
    return cfg


def is_possible(way):
    """mmengine rewinds epoch-based trainings to ends of epochs; one schedule steps on momentum."""
    needs_epochs = ('epochs', 'both', 'cosine', 'momentum')
    return not (way['by_epoch'] and way['to'] == '3it') and not (
        not way['by_epoch'] and way['schedulers'] in needs_epochs) and not (
        way['schedulers'] == 'momentum' and way['optimizer']['type'] != 'SGD')


def covering(seed=0):
    """Few ways with every pair of values of two factors, but for impossible ones."""
    pick, names = random.Random(seed), list(FACTORS)
    some = [dict(zip(names, values)) for values in (
        [pick.choice(FACTORS[name]) for name in names] for _ in range(600))]
    some = [way for way in some if is_possible(way)]

    def pairs(way):
        return {(a, str(way[a]), b, str(way[b])) for a, b in combinations(names, 2)}

    wanted, chosen = set().union(*map(pairs, some)), []
    while wanted:
        chosen.append(max(some, key=lambda way: len(pairs(way) & wanted)))
        wanted -= pairs(chosen[-1])
    return chosen


def name_of(way):
    return '-'.join(str(v.get('ema_type', v['type']) if isinstance(v, dict) and 'type' in v
                        else v is not None if k == 'paramwise' else v) for k, v in way.items())


def largest_difference(work_dir, first=0, second=1):
    dense, ticket = (torch.load(work_dir / f'round_{r}' / paths.FINAL, weights_only=True)
                     for r in (first, second))
    assert set(dense['state_dict']) == set(ticket['state_dict'])
    assert dense['meta']['iter'] == ticket['meta']['iter'] == ITERS
    assert all(torch.isfinite(tensor).all() for tensor in ticket['state_dict'].values())
    return max(float((dense['state_dict'][name].double() - tensor.double()).abs().max())
               for name, tensor in ticket['state_dict'].items())


@pytest.mark.parametrize('way', covering(), ids=name_of)
def test_nothing_pruned_is_the_dense_training(tmp_path, amp, way):  # noqa: F811
    run_lottery(config(tmp_path, way))
    assert largest_difference(tmp_path) == 0


class Cut(Exception):
    pass


@HOOKS.register_module(force=True)
class CutInTheTicket(Hook):
    """Stops round 1 at an iteration."""
    at = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if 'round_1' in runner.work_dir and runner.iter + 1 == self.at:
            raise Cut


@pytest.mark.parametrize('way', covering(1)[::5], ids=name_of)
def test_resumed_is_as_uninterrupted(tmp_path, amp, monkeypatch, way):  # noqa: F811
    """Cut off in round 1, wherever its last checkpoint was: 80 % pruned, gradients gathered."""
    def start(name, resume=False):
        cfg = config(tmp_path / name, way, sparsity=0.8)
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type='CutInTheTicket')]
        run_lottery(cfg, resume)

    start('whole')
    monkeypatch.setattr(CutInTheTicket, 'at', 19)
    with pytest.raises(Cut):
        start('cut')
    monkeypatch.setattr(CutInTheTicket, 'at', None)
    start('cut', resume=True)
    whole, cut = (torch.load(tmp_path / name / 'round_1' / paths.FINAL, weights_only=True)
                  for name in ('whole', 'cut'))
    assert all(torch.equal(tensor, cut['state_dict'][name])
               for name, tensor in whole['state_dict'].items())
