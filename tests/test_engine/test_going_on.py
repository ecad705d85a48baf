"""What a lottery goes on from: its own tickets, as many processes, a config that trains alike."""
import errno
import functools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from toy import lottery_config, run_lottery

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.going_on import check_processes, set_aside
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.same_training import differences, plain_config
from mmlth.engine.chain.text import batches
from mmlth.engine.verify import Violation, verify
from mmlth.studies.dense import train_dense


def run(cfg, resume=True):
    return run_lottery(cfg, resume)


def rounds_of(work_dir):
    return json.loads((work_dir / paths.LOTTERY).read_text())['rounds']


def weights(path):
    return checkpoint_file.load(path)['state_dict']


@HOOKS.register_module(force=True)
class Nudge(Hook):
    """Trains the dense model a little otherwise, as another machine would."""
    by, raises = 0.0, None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.work_dir.endswith('round_0'):
            runner.model.head.bias.data.add_(self.by)
            runner.model.head.weight.data[:, :4].mul_(1 + self.by)
        if runner.work_dir.endswith(f'{self.raises}') and runner.iter == 8:
            raise KeyboardInterrupt


@pytest.fixture
def nudge(monkeypatch):
    return lambda name, value: monkeypatch.setattr(Nudge, name, value)


def nudged(work_dir, **options):
    return lottery_config(work_dir, rounds=2, custom_hooks=[dict(type='Nudge')], **options)


@pytest.mark.parametrize('older', [False, True])
def test_a_round_of_a_ticket_drawn_again_is_trained_again(tmp_path, nudge, older):
    run(nudged(tmp_path / 'a'), resume=False)
    (tmp_path / 'a/round_0' / paths.FINAL).unlink()
    if older:
        path = tmp_path / 'a' / paths.LOTTERY
        lottery = json.loads(path.read_text())
        for entry in lottery['rounds']:
            entry.pop('ticket_digest')
        path.write_text(json.dumps(lottery))
    before = {r: weights(tmp_path / f'a/round_{r}' / paths.FINAL) for r in (1, 2)}
    noted = rounds_of(tmp_path / 'a')
    nudge('by', 0.5)
    run(nudged(tmp_path / 'a'))
    run(nudged(tmp_path / 'b'), resume=False)
    for r in (1, 2):
        folders = [tmp_path / name / f'round_{r}' for name in 'ab']
        digests = [Ticket.load(folder / paths.TICKET).digest() for folder in folders]
        assert digests[0] == digests[1] == rounds_of(tmp_path / 'a')[r]['ticket_digest']
        ours, theirs = (weights(folder / paths.FINAL) for folder in folders)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        aside = tmp_path / 'a' / paths.STALE / f'round_{r}'
        left = weights(aside / paths.FINAL)
        assert all(torch.equal(left[name], before[r][name]) for name in left)
        entry = json.loads((aside / paths.STALE_ENTRY).read_text())
        assert entry['metrics'] == noted[r]['metrics']
    verify(tmp_path / 'a')


def test_a_round_of_the_same_ticket_drawn_again_stays(tmp_path):
    run(nudged(tmp_path), resume=False)
    (tmp_path / 'round_0' / paths.FINAL).unlink()
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob('round_[12]/*.pth')}
    run(nudged(tmp_path))
    assert stamps == {p: p.stat().st_mtime_ns for p in tmp_path.glob('round_[12]/*.pth')}
    assert not (tmp_path / paths.STALE).exists()


def test_an_interrupted_round_does_not_go_on_with_another_ticket(tmp_path, nudge):
    """Its masks may be the same ones: nothing is pruned here, and only start weights differ."""
    options = dict(sparsity=0.0, default_hooks=dict(checkpoint=dict(interval=4)))
    nudge('raises', 'round_1')
    with pytest.raises(KeyboardInterrupt):
        run(nudged(tmp_path / 'a', **options), resume=False)
    assert (tmp_path / 'a/round_1' / paths.RESUME).exists()
    nudge('raises', None)
    nudge('by', 0.5)
    (tmp_path / 'a/round_0' / paths.FINAL).unlink()
    run(nudged(tmp_path / 'a', **options))
    run(nudged(tmp_path / 'b', **options), resume=False)
    for r in (1, 2):
        ours, theirs = (weights(tmp_path / name / f'round_{r}' / paths.FINAL) for name in 'ab')
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_another_number_of_processes_is_refused(tmp_path):
    cfg = lottery_config(tmp_path)
    run(cfg, resume=False)
    path = tmp_path / paths.LOTTERY
    lottery = json.loads(path.read_text())
    lottery['rounds'][0]['processes'] = 4
    path.write_text(json.dumps(lottery))
    run(cfg)                                        # nothing is left to train
    (tmp_path / 'round_1' / paths.FINAL).unlink()
    with pytest.raises(UserError, match=r'trained by 4 process.*1 x 6 instead of 4 x 6'):
        run(cfg)
    assert rounds_of(tmp_path) == lottery['rounds']


def test_a_shared_dense_training_is_of_one_number_of_processes(tmp_path):
    (tmp_path / 'dense.json').write_text(json.dumps(
        dict(rewind=['0it'], status='running', processes=4)))
    (tmp_path / paths.RESUME).touch()
    with pytest.raises(UserError, match='begun with 4 process'):
        train_dense(tmp_path, lottery_config(tmp_path), ['0it'])


def test_the_report_says_where_the_batch_has_changed():
    rounds = [dict(round=r, status='done', processes=count) for r, count in enumerate((4, None, 2))]
    assert 'round 0 by 4, round 2 by 2' in batches(rounds)[0]
    assert not batches(rounds[:2])


def test_verify_names_a_round_of_another_ticket(tmp_path):
    run(lottery_config(tmp_path), resume=False)
    path = tmp_path / paths.LOTTERY
    lottery = json.loads(path.read_text())
    lottery['rounds'][1]['ticket_digest'] = 'another'
    path.write_text(json.dumps(lottery))
    with pytest.raises(Violation, match='not the ticket that round 1 was begun with'):
        verify(tmp_path)


def test_learning_rates_are_scaled_only_where_a_round_begins_anew(tmp_path):
    def check(schedule='restart', enable=True, **entry):
        cfg = lottery_config(tmp_path, schedule=schedule,
                             auto_scale_lr=dict(enable=enable, base_batch_size=24))
        return check_processes(
            [dict(round=0, status='done', checkpoint='.', processes=4),
             dict(dict(round=1, status='waiting', checkpoint=None, processes=None), **entry)],
            tmp_path, cfg, LotterySpec.of(cfg), 2)

    assert check() == [0]
    assert check(status='done', checkpoint='.', schedule='resume') == []
    for options in (dict(enable=False), dict(schedule='resume')):
        with pytest.raises(UserError, match='Start it with 4'):
            check(**options)
    (tmp_path / 'round_1').mkdir()
    (tmp_path / 'round_1' / paths.RESUME).touch()
    with pytest.raises(UserError, match='Start it with 4'):
        check(status='running', processes=4)


@pytest.mark.parametrize('change', [
    dict(default_hooks=dict(logger=dict(interval=7))),
    dict(default_hooks=dict(checkpoint=dict(interval=3, max_keep_ckpts=2, save_best='toy/AP'))),
    dict(custom_hooks=[dict(type='mmdet.DetVisualizationHook', draw=True)]),
    dict(visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])),
    dict(log_level='ERROR'), dict(log_processor=dict(window_size=3)),
    dict(train_dataloader=dict(pin_memory=True)),
    dict(test_dataloader=dict(batch_size=2)),
], ids=str)
def test_a_change_that_trains_the_same_is_noted(tmp_path, change):
    old, new = (plain_config(lottery_config(tmp_path, experiment_name='x', **c))
                for c in ({}, change))
    needed, rest = differences(old, new)
    assert not needed and rest
    assert differences(new, old)[0] == []


@pytest.mark.parametrize('change, key', [
    (dict(optim_wrapper=dict(optimizer=dict(lr=0.2))), 'optimizer.lr was 0.1, is 0.2'),
    (dict(train_dataloader=dict(num_workers=2)), 'train_dataloader.num_workers'),
    (dict(train_dataloader=dict(batch_size=2)), 'train_dataloader.batch_size'),
    (dict(train_cfg=dict(val_interval=2)), 'train_cfg.val_interval'),
    (dict(custom_hooks=[dict(type='EMAHook')]), 'custom_hooks'),
    (dict(custom_hooks=[dict(type='MyLoggerHook')]), 'custom_hooks'),
    (dict(default_hooks=dict(logger=dict(type='MyHook'))), 'default_hooks.logger'),
    (dict(val_evaluator=dict(prefix='x')), 'val_evaluator.prefix'),
    (dict(param_scheduler=[dict(type='LinearLR', start_factor=0.2, by_epoch=False, begin=0,
                                end=6)]), 'param_scheduler[0].start_factor was 0.1, is 0.2'),
    (dict(env_cfg=dict(cudnn_benchmark=True)), 'env_cfg.cudnn_benchmark'),
], ids=lambda value: str(value)[:40])
def test_a_change_that_trains_otherwise_is_named(tmp_path, change, key):
    old, new = (plain_config(lottery_config(tmp_path, experiment_name='x', **c))
                for c in ({}, change))
    assert any(key in text for text in differences(old, new)[0])


def test_a_resumed_lottery_says_what_has_changed(tmp_path, monkeypatch):
    run(lottery_config(tmp_path, experiment_name='x'), resume=False)
    (tmp_path / 'round_1' / paths.FINAL).unlink()
    cfg = lottery_config(tmp_path, experiment_name='x', log_level='INFO',
                         default_hooks=dict(logger=dict(interval=7)))
    cfg.resume, said = True, []
    monkeypatch.setattr('mmlth.engine.chain.opening.say', said.append)
    RUNNERS.build(cfg).train()
    assert any('default_hooks.logger.interval was 100, is 7' in text for text in said)


_VALUES = '''
import functools, json, sys
import numpy as np
from mmengine.config import Config
from mmlth.engine.chain.same_training import plain_config
class Thing:
    def __init__(self, x):
        self.x = x
    def method(self):
        return self.x
def values():
    cfg = Config(dict(a=1))
    cfg._cfg_dict['values'] = [
        set('abcdef'), float('nan'), lambda x: x * scale, Thing(scale), Thing(scale).method,
        functools.partial(max, scale), np.full(2000, scale), np.float32(scale),
        {1: 'a', 'b': 2, None: 3, (1, 2): 4}, len, Thing,
        (lambda: [1, lambda: 1]) if scale == 1 else (lambda: [1, lambda: 2])]
    return plain_config(cfg)['values']
scale = 1
print(json.dumps(values()))
scale = 2
print(json.dumps(values()))
'''


def test_values_are_compared_by_content():
    """In processes of their own: sets have another order there, objects another address."""
    def values():
        result = subprocess.run([sys.executable, '-c', _VALUES], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return [[dict(v=value) for value in json.loads(line)]
                for line in result.stdout.splitlines()]

    (first, other), (again, _) = values(), values()
    assert all(differences(a, b) == ([], []) for a, b in zip(first, again))
    changed = [bool(differences(a, b)[0]) for a, b in zip(first, other)]
    assert changed == [False, False, True, True, True, True, True, True, False, False, False, True]


def test_plain_values_are_as_json_has_them():
    """The names of shared dense trainings are made of them."""
    values = dict(a=[1, 2.5, None, True, 'x', (1, 2)], b={1: dict(c=-0.0), True: 1, 2.5: 2})  # noqa: F601
    cfg = Config(dict(values=values))
    assert plain_config(cfg) == json.loads(json.dumps(cfg.to_dict()))
    assert plain_config(Config(dict(p=functools.partial(int, np.int64(3)))))['p'] == dict(
        partial="<class 'int'>", args=[3], keywords={})


def test_a_ticket_has_one_digest_wherever_it_comes_from(tmp_path):
    run(lottery_config(tmp_path), resume=False)
    path = tmp_path / 'round_1' / paths.TICKET
    ticket = Ticket.load(path)
    shutil.copy(path, tmp_path / 'copy.safetensors')
    assert Ticket.load(tmp_path / 'copy.safetensors').digest() == ticket.digest()
    assert Ticket(ticket.mask, ticket.state, dict(other=1)).digest() == ticket.digest()
    assert Ticket(ticket.mask, {}, ticket.meta).digest() != ticket.digest()
    changed = {**ticket.state, 'head.bias': ticket.state['head.bias'] + 1}
    assert Ticket(ticket.mask, changed, ticket.meta).digest() != ticket.digest()


def test_a_round_on_another_disk_is_set_aside(tmp_path, monkeypatch):
    def rename(*args, **kwargs):
        raise OSError(errno.EXDEV, 'Invalid cross-device link')

    folder = paths.round_dir(tmp_path, 1)
    (folder / 'vis_data').mkdir(parents=True)
    for name in (paths.FINAL, 'vis_data/scalars.json', paths.TICKET):
        (folder / name).write_text(name)
    (tmp_path / paths.STALE / 'round_1').mkdir(parents=True)
    monkeypatch.setattr('os.rename', rename)
    aside = set_aside(tmp_path, dict(round=1))
    assert (aside / 'vis_data/scalars.json').read_text() == 'vis_data/scalars.json'
    assert [path.name for path in folder.iterdir()] == [paths.TICKET]
