"""The chain of rounds, on real Runners."""
import csv
import json
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, RUNNERS
from toy import ToyModel, lottery_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.core.state import trained_weights


def run(cfg):
    return RUNNERS.build(cfg).train()


def load(path):
    return checkpoint_file.load(path)


def read_lottery(work_dir):
    return json.loads((work_dir / paths.LOTTERY).read_text())


@pytest.mark.parametrize('schedule', ['restart', 'resume'])
@pytest.mark.parametrize('by_epoch', [False, True])
def test_two_rounds(tmp_path, schedule, by_epoch):
    cfg = lottery_config(tmp_path, rounds=2, schedule=schedule, by_epoch=by_epoch)
    model = run(cfg)

    rounds = read_lottery(tmp_path)['rounds']
    assert [entry['status'] for entry in rounds] == ['done'] * 3
    assert [entry['round'] for entry in rounds] == [0, 1, 2]
    total = 144 + 256 + 24      # weights of the toy's three layers
    assert rounds[1]['scope_sparsity'] == round((1 - 0.2**0.5) * total) / total
    assert rounds[2]['scope_sparsity'] == round(0.8 * total) / total
    network = sum(p.numel() for p in model.parameters())
    assert rounds[2]['network_sparsity'] == pytest.approx(round(0.8 * total) / network)
    assert all('toy/AP' in entry['metrics'] for entry in rounds)
    assert all(entry['iterations'] == 12 for entry in rounds)

    masks = [Ticket.load(tmp_path / f'round_{r}' / paths.TICKET).mask for r in (1, 2)]
    for name in masks[0]:       # masks shrink monotonically
        assert not (masks[1][name] & ~masks[0][name]).any()
    for r in (1, 2):            # pruned weights are 0 in every checkpoint
        for name in (paths.FINAL, (tmp_path / f'round_{r}/last_checkpoint').read_text()):
            state = checkpoint_file.load(tmp_path / f'round_{r}' / name)['state_dict']
            for key, keep in masks[r - 1].items():
                assert not state[key][~keep].any()
                assert state[key][keep].any()


def test_start_weights_are_mask_times_rewind_weights(tmp_path):
    run(lottery_config(tmp_path, rounds=2, to='4it'))
    rewound = trained_weights(load(tmp_path / 'round_0' / paths.REWIND))
    for r in (1, 2):
        ticket = Ticket.load(tmp_path / f'round_{r}' / paths.TICKET)
        assert set(ticket.state) == set(rewound) - {'same_head.weight', 'same_head.bias'}
        for name, tensor in ticket.state.items():
            expected = rewound[name] * ticket.mask[name] if name in ticket.mask else rewound[name]
            assert torch.equal(tensor, expected), name


def test_resumed_schedule_goes_on_from_the_rewind_point(tmp_path):
    """With sparsity 0 the ticket's training repeats the dense one from iteration 4 on."""
    run(lottery_config(tmp_path, sparsity=0.0, schedule='resume', to='4it'))
    dense, ticket = (load(tmp_path / f'round_{r}' / paths.FINAL)['state_dict'] for r in (0, 1))
    assert all(torch.equal(dense[name], ticket[name]) for name in dense)


def test_restarted_schedule_runs_it_all_again(tmp_path):
    """From iteration 0 with sparsity 0, round 1 is round 0 once more."""
    run(lottery_config(tmp_path, sparsity=0.0, schedule='restart', to='0it'))
    dense, ticket = (load(tmp_path / f'round_{r}' / paths.FINAL)['state_dict'] for r in (0, 1))
    assert all(torch.equal(dense[name], ticket[name]) for name in dense)


@pytest.mark.parametrize('optimizer', [None, dict(type='AdamW', lr=0.01)])
@pytest.mark.parametrize('schedule', ['restart', 'resume'])
def test_interrupted_and_resumed_is_as_uninterrupted(tmp_path, optimizer, schedule):
    options = dict(rounds=2, schedule=schedule, optimizer=optimizer)
    run(lottery_config(tmp_path / 'whole', **options))

    class Cut(Exception):
        pass

    @HOOKS.register_module(force=True)
    class CutHook(Hook):
        """Stops the second round in the middle."""

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if 'round_1' in runner.work_dir and runner.iter + 1 == 7:
                raise Cut

    cut = lottery_config(tmp_path / 'cut', **options)
    cut.default_hooks.checkpoint.interval = 5
    cut.custom_hooks = [dict(type='CutHook')]
    with pytest.raises(Cut):
        run(cut)
    assert [e['status'] for e in read_lottery(tmp_path / 'cut')['rounds']] == [
        'done', 'running', 'waiting']
    before = (tmp_path / 'cut/round_0' / paths.FINAL).stat().st_mtime_ns

    cut.resume = True
    CutHook.after_train_iter = Hook.after_train_iter
    run(cut)
    assert (tmp_path / 'cut/round_0' / paths.FINAL).stat().st_mtime_ns == before
    for r in range(3):
        whole, again = (load(tmp_path / d / f'round_{r}' / paths.FINAL)['state_dict']
                        for d in ('whole', 'cut'))
        assert all(torch.equal(whole[name], again[name]) for name in whole), r


def test_finished_chain_is_only_reported(tmp_path):
    cfg = lottery_config(tmp_path)
    run(cfg)
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob('round_*/*')}
    cfg.resume = True
    assert run(cfg) is None
    assert stamps == {p: p.stat().st_mtime_ns for p in tmp_path.glob('round_*/*')}


def test_no_validation(tmp_path):
    run(lottery_config(tmp_path, val=False))
    assert [e['metrics'] for e in read_lottery(tmp_path)['rounds']] == [{}, {}]


def test_report(tmp_path):
    run(lottery_config(tmp_path))
    text = (tmp_path / paths.REPORT).read_text()
    assert 'scope sparsity' in text and 'network sparsity' in text and 'toy/AP' in text
    assert 'frozen weights are in scope' in text
    figure = tmp_path / 'figures/layer_sparsity_round_1.png'
    assert figure.read_bytes().startswith(b'\x89PNG')
    with open(tmp_path / 'tables/round_1.csv', newline='') as file:
        rows = {row['name']: row for row in csv.DictReader(file)}
    assert int(rows['scope']['zeros']) == round(0.8 * 424) == sum(
        int(row['zeros']) for row in rows.values() if row['what'] == 'layer')
    report = json.loads((tmp_path / paths.REPORT_JSON).read_text())
    assert report['sparsity']['round_1']['scope']['zeros'] == round(0.8 * 424)


def test_final_checkpoint_needs_no_help(tmp_path):
    """Read in a process without mmlth and without mmengine."""
    run(lottery_config(tmp_path))
    code = f'''
import sys, torch
sys.modules['mmlth'] = None
sys.modules['mmengine'] = None
for r in (0, 1):
    c = torch.load('{tmp_path}/round_%d/final.pth' % r, weights_only=True)
    assert set(c) == {{'meta', 'state_dict', 'mmlth'}}, set(c)
    assert set(c['mmlth']['masks']) == (
        {{'backbone.0.weight', 'backbone.3.weight', 'head.weight'}} if r else set())
    assert c['meta']['dataset_meta']['classes'] == ['a', 'b', 'c']
    print(sum(int((t == 0).sum()) for n, t in c['state_dict'].items() if n == 'head.weight'))
'''
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@MODELS.register_module(force=True)
class OddlyTyped(ToyModel):
    """With a buffer that no ticket could hold."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.register_buffer('phase', torch.zeros(1, dtype=torch.complex128))


@pytest.mark.parametrize('change, message', [
    (dict(model=dict(type='OddlyTyped')), 'phase is of torch.complex128'),
    (dict(default_hooks=dict(prune=dict(sparsity=1.0))), 'in [0, 1)'),
    (dict(default_hooks=dict(prune=dict(sparsity=80))), 'for 80 % write 0.8'),
    (dict(default_hooks=dict(prune=dict(rounds=0))), 'at least 1'),
    (dict(default_hooks=dict(prune=dict(allocation='local'))), 'global, layerwise'),
    (dict(default_hooks=dict(prune=dict(score='luck'))), 'magnitude'),
    (dict(default_hooks=dict(prune=dict(scope=['bottom']))), 'backbone, head'),
    (dict(default_hooks=dict(prune=dict(scpoe=['head']))), 'scpoe'),
    (dict(default_hooks=dict(rewind=dict(to='13it'))), 'ends after 12'),
    (dict(default_hooks=dict(rewind=dict(to='soon'))), "'600it'"),
    (dict(default_hooks=dict(rewind=dict(schedule='again'))), 'restart'),
    (dict(optim_wrapper=dict(type='OptimWrapper')), 'mask-aware'),
    (dict(optim_wrapper=dict(type='AmpOptimWrapper')), 'AmpOptimWrapper'),
    (dict(model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')), 'MMFullySharded'),
    (dict(train_dataloader=dict(dataset=dict(data_root='data/none', ann_file='a.json'))),
     'data/none/a.json does not exist'),
])
def test_mistakes_are_told_before_training(tmp_path, change, message):
    cfg = lottery_config(tmp_path, **change)
    with pytest.raises(UserError) as error:
        run(cfg)
    assert message in str(error.value)
    assert not list(tmp_path.glob('round_*/*.pth'))
    # The mistake mended, the same work dir can be used.
    run(lottery_config(tmp_path))


def test_hooks_are_required(tmp_path):
    for name in ('prune', 'rewind'):
        cfg = lottery_config(tmp_path)
        cfg.default_hooks.pop(name)
        with pytest.raises(UserError, match='Hook'):
            run(cfg)


def test_hooks_in_custom_hooks(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.custom_hooks = [cfg.default_hooks.pop('rewind'), dict(type='SyncBuffersHook'),
                        cfg.default_hooks.pop('prune')]
    run(cfg)
    assert read_lottery(tmp_path)['rounds'][1]['scope_sparsity'] == 339 / 424


def test_resuming_another_config_names_the_change(tmp_path):
    run(lottery_config(tmp_path))
    cfg = lottery_config(tmp_path, sparsity=0.9)
    cfg.resume = True
    with pytest.raises(UserError, match='default_hooks.prune.sparsity was 0.8, is 0.9'):
        run(cfg)


def test_results_are_never_overwritten(tmp_path):
    run(lottery_config(tmp_path))
    with pytest.raises(UserError, match='--resume'):
        run(lottery_config(tmp_path))


def test_damaged_lottery_file(tmp_path):
    run(lottery_config(tmp_path))
    (tmp_path / paths.LOTTERY).write_text('{"version": 1, "rou')
    cfg = lottery_config(tmp_path)
    cfg.resume = True
    with pytest.raises(UserError, match='cannot be read'):
        run(cfg)


def test_ticket_of_another_model(tmp_path):
    run(lottery_config(tmp_path / 'wide', model=dict(width=16)))
    cfg = lottery_config(tmp_path / 'narrow')
    run(cfg)
    shutil.copy(tmp_path / 'wide/round_1' / paths.TICKET, tmp_path / 'narrow/round_1')
    for path in [*(tmp_path / 'narrow/round_1').glob('*.pth'),
                 tmp_path / 'narrow/round_1/last_checkpoint']:
        path.unlink()
    cfg.resume = True
    with pytest.raises(UserError, match=r'\(16, 2, 3, 3\).*\(8, 2, 3, 3\)'):
        run(cfg)


def test_two_trainings_of_one_second_share_nothing(tmp_path, monkeypatch):
    """mmengine tells Runners apart by name and second."""
    monkeypatch.setattr('mmengine.runner.runner.time', SimpleNamespace(
        time=lambda: 1e9, strftime=time.strftime, localtime=time.localtime))
    for name in ('a', 'b'):
        run(lottery_config(tmp_path / name))
        if name == 'a':
            shutil.rmtree(tmp_path / name)
    assert not (tmp_path / 'a').exists()
    logs = list((tmp_path / 'b').glob('round_*/*/vis_data/scalars.json'))
    assert len({path.parents[1].name for path in logs}) == len(logs) == 2     # a round each


def test_visualizers_of_one_name_have_folders_of_their_own(tmp_path):
    """As all of MMDetection have it."""
    cfg = lottery_config(tmp_path, visualizer=dict(
        type='Visualizer', name='visualizer', vis_backends=[dict(type='LocalVisBackend')]))
    run(cfg)
    cfg.load_from = str(tmp_path / 'round_1' / paths.FINAL)
    for name in ('one', 'other'):
        cfg.work_dir = str(tmp_path / name)
        RUNNERS.build(cfg).val()
    assert [len(list(tmp_path.glob(f'{name}/*/vis_data/config.py')))
            for name in ('round_0', 'round_1', 'one', 'other')] == [1] * 4


def test_test_and_val_evaluate_a_checkpoint(tmp_path):
    cfg = lottery_config(tmp_path)
    run(cfg)
    cfg.load_from = str(tmp_path / 'round_1' / paths.FINAL)
    cfg.work_dir = str(tmp_path / 'eval')
    expected = read_lottery(tmp_path)['rounds'][1]['metrics']
    assert RUNNERS.build(cfg).val() == expected
    cfg.test_dataloader, cfg.test_cfg, cfg.test_evaluator = (
        cfg.val_dataloader, dict(type='TestLoop'), cfg.val_evaluator)
    assert RUNNERS.build(Config(cfg.to_dict())).test() == expected


def test_ema_weights_are_what_final_holds(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.3)]
    run(cfg)
    mask = Ticket.load(tmp_path / 'round_1' / paths.TICKET).mask
    last = load(tmp_path / 'round_1/iter_12.pth')
    final = load(tmp_path / 'round_1' / paths.FINAL)
    for name, keep in mask.items():
        assert torch.equal(final['state_dict'][name], last['state_dict'][name])
        assert not torch.equal(last['state_dict'][name],
                               last['ema_state_dict'][f'module.{name}'])
        assert not last['state_dict'][name][~keep].any()
        assert not last['ema_state_dict'][f'module.{name}'][~keep].any()
    rewound = trained_weights(load(tmp_path / 'round_0' / paths.REWIND))
    start = Ticket.load(tmp_path / 'round_1' / paths.TICKET).state
    assert torch.equal(start['head.bias'], rewound['head.bias'])


def test_first_weights_survive_a_resume(tmp_path):
    """`load_from` of the config is for round 0; MMDetection's --resume clears it."""
    run(lottery_config(tmp_path / 'first'))
    weights = str(tmp_path / 'first/round_0' / paths.FINAL)
    cfg = lottery_config(tmp_path / 'second', to='0it', load_from=weights)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=-1, save_last=False)
    run(cfg)
    expected = load(tmp_path / 'second/round_0' / paths.FINAL)['state_dict']
    start = Ticket.load(tmp_path / 'second/round_1' / paths.TICKET).state
    assert torch.equal(start['head.bias'], load(weights)['state_dict']['head.bias'])
    (tmp_path / 'second/round_0' / paths.FINAL).unlink()    # round 0 must be run again
    cfg.resume, cfg.load_from = True, None
    run(cfg)
    again = load(tmp_path / 'second/round_0' / paths.FINAL)['state_dict']
    assert all(torch.equal(expected[name], again[name]) for name in expected)


@pytest.mark.parametrize('schedule', ['restart', 'resume'])
def test_learning_rate_rewinding_keeps_the_trained_weights(tmp_path, schedule):
    run(lottery_config(tmp_path, rounds=2, schedule=schedule,
                       default_hooks=dict(rewind=dict(mode='lr'))))
    for r in (1, 2):
        trained = load(tmp_path / f'round_{r - 1}/iter_12.pth')['state_dict']
        ticket = Ticket.load(tmp_path / f'round_{r}' / paths.TICKET)
        for name, tensor in ticket.state.items():
            expected = trained[name] * ticket.mask[name] if name in ticket.mask else trained[name]
            assert torch.equal(tensor, expected), name
