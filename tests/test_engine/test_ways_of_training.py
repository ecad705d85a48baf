"""Combined ways of training: zeros after every update, in the model, its EMA copy, all files."""
import random
from contextlib import nullcontext

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import ApexOptimWrapper
from mmengine.registry import HOOKS, MODELS, RUNNERS
from mmengine.utils import digit_version
from test_masked_training import OPTIMIZERS, scales_on_cpu, train
from toy import ToyModel, lottery_config
from toy_ticket import check_files, make_ticket, ticket_config

from mmlth.core import Ticket, checkpoint_file
from mmlth.core.errors import UserError
from mmlth.engine.chain.preflight import check_config
from mmlth.zoo.light import amp_on_cpu

EMA = dict(type='EMAHook', momentum=0.2)
SAVE_BEST = dict(checkpoint=dict(save_best='toy/AP', rule='greater'))
TOGETHER = dict(clip_grad=dict(max_norm=0.5), accumulative_counts=3)


def train_ticket(folder, **kwargs):
    """Train a ticket in ``folder``; then no file there may hold a pruned weight."""
    make_ticket(folder / 'ticket.safetensors')
    runner = train(ticket_config(folder, **kwargs))
    check_files(folder)
    return runner


def weights(runner):
    return {name: p.detach().clone() for name, p in runner.model.named_parameters()}


@pytest.fixture
def amp():
    """mmengine's wrapper asks for a GPU; PyTorch's autocast and GradScaler do not."""
    with nullcontext() if torch.cuda.is_available() else amp_on_cpu():
        yield


@pytest.mark.parametrize('by_epoch', [False, True])
def test_last_best_and_averaged_checkpoints(tmp_path, by_epoch):
    train_ticket(tmp_path, by_epoch=by_epoch, optimizer=OPTIMIZERS['sgd'],
                 optim_wrapper=TOGETHER, custom_hooks=[EMA], default_hooks=SAVE_BEST)
    last = checkpoint_file.load(tmp_path / ('epoch_3.pth' if by_epoch else 'iter_12.pth'))
    best = checkpoint_file.load(next(tmp_path.glob('best_toy_AP_*.pth')))
    for checkpoint in (last, best):
        assert not torch.equal(checkpoint['state_dict']['head.weight'],
                               checkpoint['ema_state_dict']['module.head.weight'])
    assert 'optimizer' not in best and set(best['mmlth']['masks']) == set(last['mmlth']['masks'])


def test_bf16_autocast(tmp_path, amp):
    dtypes = set()

    @HOOKS.register_module(force=True)
    class Dtypes(Hook):
        def before_train(self, runner):
            runner.model.head.register_forward_hook(
                lambda module, args, output: dtypes.add((module.weight.dtype, output.dtype)))

    make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, val=False, custom_hooks=[dict(type='Dtypes'), EMA])
    cfg.optim_wrapper.update(
        type='mmlth.MaskedAmpOptimWrapper', dtype='bfloat16', **TOGETHER)
    train(cfg)
    check_files(tmp_path)
    assert dtypes == {(torch.float32, torch.bfloat16)}


@scales_on_cpu
@pytest.mark.parametrize('clip_grad', [None, dict(max_norm=1.0)], ids=['free', 'clipped'])
def test_an_overflow_skips_one_step(tmp_path, amp, clip_grad):
    """mmengine's autocast on a CPU is bf16 only; the scaler and its skipped step are real."""
    @MODELS.register_module(force=True)
    class OverflowModel(ToyModel):
        """Its third loss is infinite."""
        calls = 0

        def forward(self, inputs, labels, mode='tensor'):
            result = super().forward(inputs, labels, mode)
            if mode == 'loss':
                self.calls += 1
                result['loss'] = result['loss'] * (torch.inf if self.calls == 3 else 1)
            return result

    scales, heads = [], []

    @HOOKS.register_module(force=True)
    class Steps(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            scales.append(runner.optim_wrapper.loss_scaler.get_scale())
            heads.append(weights(runner)['head.weight'])

    make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, iters=6, model=dict(type='OverflowModel'),
                        custom_hooks=[dict(type='Steps'), EMA], default_hooks=SAVE_BEST)
    dtype = 'float16' if torch.cuda.is_available() else None
    cfg.optim_wrapper.update(type='mmlth.MaskedAmpOptimWrapper', clip_grad=clip_grad,
                             loss_scale=dict(init_scale=64.0), dtype=dtype)
    train(cfg)
    check_files(tmp_path)
    assert scales == [64, 64, 32, 32, 32, 32]
    assert [torch.equal(*pair) for pair in zip(heads, heads[1:])] == [
        False, True, False, False, False]


@pytest.mark.slow
@pytest.mark.skipif(digit_version(torch.__version__) < digit_version('2.2'),
                    reason='PyTorch 2.1 does not compile the update of its own SGD')
@pytest.mark.parametrize('backend', ['eager', 'aot_eager'])
def test_compiled_training_is_as_the_plain_one(tmp_path, backend):
    options = dict(val=False, iters=6, optim_wrapper=TOGETHER, custom_hooks=[EMA])
    plain = weights(train_ticket(tmp_path / 'plain', **options))
    torch.compiler.reset()
    compiled = weights(train_ticket(
        tmp_path / 'compiled', compile=dict(backend=backend), **options))
    torch.compiler.reset()
    assert all(torch.equal(plain[name], compiled[name]) for name in plain)


def test_many_groups_and_the_rest_of_an_accumulation(tmp_path):
    """12 iterations in fives: updates after 5, 10 and 12."""
    runner = train_ticket(
        tmp_path, optimizer=OPTIMIZERS['adamw'], param_scheduler=[],
        optim_wrapper=dict(accumulative_counts=5, paramwise_cfg=dict(
            norm_decay_mult=0, custom_keys={'backbone.0': dict(lr_mult=0.5, decay_mult=0),
                                            'head': dict(lr_mult=2)})))
    optimizer = runner.optim_wrapper.optimizer
    assert {int(state['step']) for state in optimizer.state.values()} == {3}
    assert len(optimizer.state) == len(list(runner.model.parameters()))
    settings = [(g['lr'], g['weight_decay']) for g in optimizer.param_groups]
    assert sorted(settings) == [
        (0.005, 0.0), (0.01, 0.0), (0.01, 0.0), (0.01, 0.1), (0.01, 0.1), (0.02, 0.1), (0.02, 0.1)]


@pytest.mark.parametrize('way', ['load_state_dict', 'data'])
def test_dense_weights_loaded_midway_lose_their_pruned_entries(tmp_path, way):
    """The survivors go on from what was loaded. ``.data`` leaves no trace (MeanTeacherHook)."""
    @HOOKS.register_module(force=True)
    class LoadDense(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == 5 and way == 'data':
                runner.model.head.weight.data.fill_(1)
            elif runner.iter == 5:
                state = runner.model.state_dict()
                runner.model.load_state_dict(
                    {**state, 'head.weight': torch.ones_like(state['head.weight'])})

    runner = train_ticket(tmp_path, iters=6, custom_hooks=[dict(type='LoadDense'), EMA],
                          optimizer=dict(type='SGD', lr=1e-3, momentum=0.9), val=False)
    keep = Ticket.load(tmp_path / 'ticket.safetensors').mask['head.weight']
    torch.testing.assert_close(weights(runner)['head.weight'], keep.float(), atol=0.01, rtol=0)


def test_a_plateau_lowers_the_rate_of_the_survivors(tmp_path):
    runner = train_ticket(tmp_path, by_epoch=True, param_scheduler=[dict(
        type='ReduceOnPlateauLR', monitor='toy/AP', rule='less', threshold=100,
        patience=0, factor=0.1)])
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.001)]


@pytest.mark.parametrize('optimizer', [
    OPTIMIZERS['sgd'],
    dict(type='Adam', lr=0.01, weight_decay=0.1, amsgrad=True),
    # Updates of one kernel, which CPUs have from PyTorch 2.4 on.
    dict(type='AdamW', lr=0.01, weight_decay=0.1,
         fused=digit_version(torch.__version__) >= digit_version('2.4')),
    dict(type='RMSprop', lr=0.01, momentum=0.9, centered=True),
], ids=lambda optimizer: optimizer['type'])
def test_resumed_is_as_uninterrupted(tmp_path, optimizer):
    options = dict(optimizer=optimizer, val=False, custom_hooks=[EMA],
                   optim_wrapper=dict(clip_grad=dict(max_norm=0.5)))
    train_ticket(tmp_path / 'whole', **options)
    train_ticket(tmp_path / 'cut', train_cfg=dict(max_iters=7), **options)
    cfg = ticket_config(tmp_path / 'cut', resume=True, **options)
    assert train(cfg).iter == 12
    check_files(tmp_path / 'cut')
    whole, again = (checkpoint_file.load(tmp_path / name / 'iter_12.pth')
                    for name in ('whole', 'cut'))
    for key in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(whole[key][n], again[key][n]) for n in whole[key]), key


CHOICES = dict(
    optimizer=[*OPTIMIZERS.values(),
               dict(type='RMSprop', lr=0.01, momentum=0.9, weight_decay=0.01),
               dict(type='AdamW', lr=0.01, weight_decay=0.1, foreach=False)],
    clip_grad=[None, dict(max_norm=0.1), dict(type='value', clip_value=0.01),
               dict(max_norm=0.1, norm_type='inf')],
    paramwise_cfg=[None, dict(norm_decay_mult=0, bias_lr_mult=2),
                   dict(custom_keys={'backbone.3': dict(lr_mult=0.1), 'head': dict(decay_mult=0)})],
    accumulative_counts=[1, 2, 4],
    type=['mmlth.MaskedOptimWrapper', 'mmlth.MaskedAmpOptimWrapper'],
    custom_hooks=[[], [EMA], [dict(type='SyncBuffersHook'), dict(EMA, begin_iter=3)],
                  [dict(EMA, ema_type='MomentumAnnealingEMA', gamma=5)],
                  [dict(EMA, ema_type='mmdet.ExpMomentumEMA', gamma=5, update_buffers=True)]],
    activation_checkpointing=[None, ['backbone']],
    by_epoch=[False, True])


@pytest.mark.parametrize('seed', range(12))
def test_any_combination(tmp_path, amp, seed):
    pick = random.Random(seed).choice
    options = {key: pick(values) for key, values in CHOICES.items()}
    wrapper = {key: options.pop(key)
               for key in ('type', 'clip_grad', 'paramwise_cfg', 'accumulative_counts')}
    make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, iters=8 if options['by_epoch'] else 6,
                        default_hooks=SAVE_BEST, **options)
    cfg.optim_wrapper.update(wrapper)
    start = Ticket.load(tmp_path / 'ticket.safetensors').state
    trained = weights(train(cfg))
    assert not torch.equal(trained['head.weight'], start['head.weight'])
    assert len(check_files(tmp_path)) >= 2      # the last and the best


@pytest.mark.parametrize('optim_wrapper, messages', [
    (dict(type='ApexOptimWrapper'), ['ApexOptimWrapper', 'MaskedAmpOptimWrapper']),
    (dict(type=ApexOptimWrapper), ['ApexOptimWrapper']),
    (dict(type='DeepSpeedOptimWrapper'), ['DeepSpeedOptimWrapper']),
    (dict(type='ColossalAIOptimWrapper'), ['ColossalAIOptimWrapper']),
    (dict(type='OptimWrapperDict'), ['OptimWrapperDict', 'one optimizer']),
    (dict(type='mmlth.MaskedOptimWrapper', constructor='TwoOptimizers',
          a=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
          b=dict(type='Adam', lr=0.1)), ['a, b of optim_wrapper', 'OptimWrapperDict']),
    (dict(type='mmlth.MaskedOptimWraper', optimizer=dict(type='SGD', lr=0.1)),
     ["'mmlth.MaskedOptimWraper'", 'not registered', "'mmlth.MaskedOptimWrapper'"]),
    (dict(type='mmlth.MaskedOptimWrapper',
          optimizer=dict(type='ZeroRedundancyOptimizer', optimizer_type='AdamW', lr=0.1)),
     ['ZeroRedundancyOptimizer', "type='AdamW'"]),
    (None, ["'OptimWrapper'", "Use 'mmlth.MaskedOptimWrapper'"]),
], ids=lambda value: str(value)[:50])
def test_optim_wrappers_are_refused_by_name(tmp_path, optim_wrapper, messages):
    cfg = lottery_config(tmp_path)
    cfg.optim_wrapper = optim_wrapper
    check_refused(cfg, messages)


@pytest.mark.parametrize('change, name', [
    (dict(strategy=dict(type='FSDPStrategy')), "strategy is 'FSDPStrategy'"),
    (dict(strategy=dict(type='DeepSpeedStrategy', fp16=dict(enabled=True))), 'DeepSpeedStrategy'),
    (dict(strategy='ColossalAIStrategy'), 'ColossalAIStrategy'),
    (dict(model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')),
     'MMFullyShardedDataParallel'),
    (dict(model_wrapper_cfg=dict(type='MMSeparateDistributedDataParallel')),
     'MMSeparateDistributedDataParallel'),
    (dict(model_wrapper_cfg=dict(type=MMSeparateDistributedDataParallel)),
     'MMSeparateDistributedDataParallel'),
    (dict(model_wrapper_cfg=dict(type='MyWrapper')), "'MyWrapper', a name that is not registered"),
], ids=lambda value: str(value)[:50])
def test_model_wrappers_and_strategies_are_refused_by_name(tmp_path, change, name):
    check_refused(lottery_config(tmp_path, **change), [name, 'MMDistributedDataParallel only'])


@pytest.mark.parametrize('key', ['train_cfg', 'train_dataloader', 'optim_wrapper.optimizer'])
def test_a_config_without_a_training_is_refused(tmp_path, key):
    """Trackers that join a detector and a re-identification model are only evaluated."""
    check_refused(lottery_config(tmp_path, **{key: None}), [f'no training: {key} is not set'])


def test_instance_data_needs_no_panoptic_folder(tmp_path):
    """MMDetection's Mask2Former for instances inherits a folder that its data set never reads."""
    data = dict(type='CocoDataset', data_root=str(tmp_path), ann_file='a.json',
                data_prefix=dict(img='', seg='panoptic/'))
    (tmp_path / 'a.json').write_text('{}')
    cfg = lottery_config(tmp_path)
    cfg.train_dataloader.dataset = data
    check_config(cfg)
    cfg.train_dataloader.dataset.type = 'mmdet.CocoPanopticDataset'
    with pytest.raises(UserError, match='panoptic/ does not exist'):
        check_config(cfg)


def test_the_boxes_of_a_person_detector_must_be_there(tmp_path):
    (tmp_path / 'a.json').write_text('{}')
    cfg = lottery_config(tmp_path)
    cfg.val_dataloader.dataset = dict(type='mmpose.CocoDataset', data_root=str(tmp_path),
                                      ann_file='a.json', bbox_file=None)
    check_config(cfg)
    cfg.val_dataloader.dataset.bbox_file = 'data/boxes.json'
    with pytest.raises(UserError, match='val_dataloader.*data/boxes.json does not exist'):
        check_config(cfg)


def check_refused(cfg, messages):
    with pytest.raises(UserError) as error:
        RUNNERS.build(cfg).train()
    for message in messages:
        assert message in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('cfg', [
    dict(), dict(find_unused_parameters=True), dict(type='mmengine.MMDistributedDataParallel')])
def test_the_usual_model_wrapper_is_not_refused(tmp_path, cfg):
    check_config(lottery_config(tmp_path, model_wrapper_cfg=cfg))
