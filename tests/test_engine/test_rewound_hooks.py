"""What hooks keep, after rewinding: right, or named in a warning."""
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, METRICS
from toy import ToyAccuracy, lottery_config, run_lottery

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.state import late_schedulers, trained_weights
from mmlth.engine.runners import ema_copies

EMA = dict(type='EMAHook', momentum=0.3)
STOP = dict(type='EarlyStoppingHook', monitor='toy/AP', rule='greater', min_delta=1e3, patience=9)


def load(path):
    return checkpoint_file.load(path)


@HOOKS.register_module(force=True)
class FirstAverage(Hook):
    """Keeps the average that a round begins with."""
    priority = 'LOWEST'
    found = {}

    def before_train(self, runner):
        for average in ema_copies(runner):
            self.found[runner.work_dir[-7:]] = {
                name: tensor.clone() for name, tensor in average.state_dict().items()}


@pytest.mark.parametrize('options', [
    dict(schedule='resume'),
    dict(schedule='restart'),
    dict(schedule='resume', default_hooks=dict(rewind=dict(mode='lr')))],
    ids=['resume', 'restart', 'lr'])
def test_what_the_average_starts_from(tmp_path, options):
    """The average of the rewind point where weights and schedule go on from there."""
    run_lottery(lottery_config(
        tmp_path, custom_hooks=[EMA, dict(type='FirstAverage')], **options))
    point = load(tmp_path / 'round_0' / paths.REWIND)
    ticket = Ticket.load(tmp_path / 'round_1' / paths.TICKET)
    rewound = options == dict(schedule='resume')
    for name, start in ticket.state.items():
        expected = point['state_dict'][name] if rewound else start
        if name in ticket.mask:
            expected = expected.masked_fill(~ticket.mask[name], 0)
        assert torch.equal(FirstAverage.found['round_1'][name], expected), name
    weights = trained_weights(point)
    assert not torch.equal(point['state_dict']['head.weight'], weights['head.weight'])


@METRICS.register_module(force=True)
class Falling(ToyAccuracy):
    """Best at a round's first validation."""
    value = 10.0

    def compute_metrics(self, results):
        self.value -= 1
        return dict(AP=self.value)


def test_the_dense_models_best_checkpoint_stays(tmp_path):
    """A ticket has a best checkpoint of its own, and need not beat the dense model for it."""
    cfg = lottery_config(tmp_path, schedule='resume', to='4it', train_cfg=dict(val_interval=4),
                         val_evaluator=dict(type='Falling'),
                         default_hooks=dict(checkpoint=dict(
                             interval=2, save_best='toy/AP', rule='greater', max_keep_ckpts=1)))
    run_lottery(cfg)
    for r in (0, 1):
        assert len(list((tmp_path / f'round_{r}').glob('best_toy_AP_*.pth'))) == 1, r
        hub = load(tmp_path / f'round_{r}/iter_12.pth')['message_hub']['runtime_info']
        assert f'round_{r}' in hub['best_ckpt']


def test_an_older_rewind_point_whose_schedulers_are_late_is_named(tmp_path):
    cfg = lottery_config(tmp_path, by_epoch=True, to='1ep', schedule='resume')
    cfg.param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[2])]
    run_lottery(cfg)
    path = tmp_path / 'round_0' / paths.REWIND
    point = load(path)
    assert late_schedulers(point) == 0
    point['param_schedulers'][0]['_global_step'] -= 1
    torch.save(point, path)
    (tmp_path / 'round_1' / paths.FINAL).unlink()
    run_lottery(cfg, resume=True)
    logs = ''.join(log.read_text() for log in (tmp_path / 'round_1').glob('*/*.log'))
    assert logs.count('1 scheduler(s) of this rewind point lack its last step') == 1


@HOOKS.register_module(force=True)
class SwitchOnce(Hook):
    """Switches at one epoch, as RTMOModeSwitchHook and YOLOXPoseModeSwitchHook do."""

    def __init__(self):
        self.queue = None

    def before_train_epoch(self, runner):
        if runner.epoch == 1:
            self.queue = torch.zeros(1)
            runner.model.head.use_aux_loss = True
            runner.train_dataloader.dataset.skipped = ('Mosaic',)


@HOOKS.register_module(force=True)
class SwitchFrom(Hook):
    """Switches from an epoch on, as PipelineSwitchHook and YOLOXModeSwitchHook do."""

    def __init__(self):
        self._has_switched = False

    def before_train_epoch(self, runner):
        if runner.epoch >= 1 and not self._has_switched:
            runner.model.head.use_l1 = self._has_switched = True


@HOOKS.register_module(force=True)
class Defaults(Hook):
    """What the class would set."""

    def before_run(self, runner):
        head = runner.model.head
        head.use_aux_loss = head.use_l1 = False
        runner.train_dataloader.dataset.skipped = None


def warnings_of(work_dir, r=1):
    text = next((work_dir / f'round_{r}').glob('*/*.log')).read_text()
    return [line for line in text.splitlines() if 'does not hold' in line]


@pytest.mark.parametrize('to, schedule, lost', [
    ('2ep', 'resume', ['EarlyStoppingHook.wait_count was 1, is 0',
                       'model.head.use_aux_loss was True, is False',
                       "SwitchOnce.queue was '<Tensor>', is None",
                       "dataset.skipped was ['Mosaic'], is None"]),
    ('1ep', 'resume', ['EarlyStoppingHook.best_score']), ('0it', 'resume', []),
    ('2ep', 'restart', [])])
def test_what_is_not_rewound_is_named(tmp_path, to, schedule, lost):
    hooks = [dict(type='Defaults'), dict(type='SwitchOnce'), dict(type='SwitchFrom'), STOP]
    run_lottery(lottery_config(tmp_path, by_epoch=True, iters=16, to=to, schedule=schedule,
                                 custom_hooks=hooks))
    assert not warnings_of(tmp_path, 0)
    warnings = warnings_of(tmp_path)
    assert len(warnings) == bool(lost)
    for text in lost:
        assert text in warnings[0]
    for text in ('use_l1', '_has_switched'):
        assert not lost or text not in warnings[0]


@pytest.mark.parametrize('by_epoch', [False, True])
def test_nothing_is_said_of_a_usual_training(tmp_path, by_epoch):
    run_lottery(lottery_config(tmp_path, by_epoch=by_epoch, schedule='resume', to='4it',
                                 custom_hooks=[EMA, dict(type='SyncBuffersHook')],
                                 default_hooks=dict(checkpoint=dict(
                                     save_best='toy/AP', rule='greater'))))
    assert not warnings_of(tmp_path)


@HOOKS.register_module(force=True)
class ReadsCheckpoints(Hook):
    """Reads all that mmengine puts into one."""
    read = []

    def before_save_checkpoint(self, runner, checkpoint):
        told = {key: checkpoint[key] for key in (
            'state_dict', 'optimizer', 'param_schedulers', 'message_hub')}
        self.read.append((set(checkpoint['meta']) - {'rewind_point'}, told.keys()))


def test_a_hook_finds_in_a_finished_round_what_it_finds_in_any_checkpoint(tmp_path):
    ReadsCheckpoints.read.clear()
    run_lottery(lottery_config(
        tmp_path, custom_hooks=[dict(type='ReadsCheckpoints')], latency=False))
    assert all(one == ReadsCheckpoints.read[0] for one in ReadsCheckpoints.read[1:])
    final = load(tmp_path / 'round_1' / paths.FINAL)
    assert set(final) == {'meta', 'state_dict', 'mmlth'}
