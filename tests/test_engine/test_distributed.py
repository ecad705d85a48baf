"""Two gloo processes on the CPU."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import convert_sync_batchnorm
from mmengine.registry import MODELS
from torch import nn
from toy import ToyModel
from toy_ticket import make_ticket

from mmlth.core import Ticket, checkpoint_file, draw, select, snapshot
from mmlth.core.mask import digest
from mmlth.engine.chain.state import read_lottery
from mmlth.engine.checkpoints import masks_of

TESTS = Path(__file__).parents[1]

_LOTTERY = '''
import sys
sys.path.insert(0, sys.argv[1])
from toy import lottery_config
from mmengine.registry import RUNNERS
import torch
cfg = lottery_config(sys.argv[2], rounds=2, to='1ep', launcher='pytorch')
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', find_unused_parameters=True,
                             device_ids=None)
cfg.resume = 'resume' in sys.argv
model = RUNNERS.build(cfg).train()
state = {n: p.detach() for n, p in model.module.named_parameters()} if model else {}
torch.save(state, f'{sys.argv[2]}/rank_{torch.distributed.get_rank()}.pth')
'''

_DIFFER = '''
import sys
sys.path.insert(0, sys.argv[1])
import torch
from mmlth.engine.runners import check_same_on_all_ranks
torch.distributed.init_process_group('gloo')
rank = torch.distributed.get_rank()
check_same_on_all_ranks('a')
try:
    check_same_on_all_ranks('ab'[rank])
except RuntimeError as error:
    open(f'{sys.argv[2]}/refused_{rank}', 'w').write(str(error))
'''

# Each way of training, one after the other; every rank looks at every update.
_WAYS = '''
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + '/test_engine']
import torch
from pathlib import Path
from mmengine.dist import all_gather, all_gather_object
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmlth.core.mask import digest
from mmlth.engine.runners import bare_model, ema_copies
from test_distributed import WAYS
from toy_ticket import ticket_config

@HOOKS.register_module()
class WatchRanks(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        mask = next(h.ticket.mask for h in runner.hooks if hasattr(h, 'ticket'))
        for model in [bare_model(runner.model), *ema_copies(runner)]:
            params = dict(model.named_parameters())
            for name, keep in mask.items():
                assert not params[name][~keep].any(), (name, runner.iter)
            flat = torch.cat([p.detach().flatten() for p in params.values()])
            assert torch.equal(*all_gather(flat)), runner.iter
        assert len(set(all_gather_object(digest(mask)))) == 1
        self.seen = runner.iter + 1

torch.distributed.init_process_group('gloo')
for name, change in WAYS.items():
    change.setdefault('model_wrapper_cfg', {})['device_ids'] = None
    update = change.pop('update', None)
    cfg = ticket_config(Path(sys.argv[2]) / name, launcher='pytorch', iters=6, **change)
    cfg.custom_hooks[0] = dict(type='WatchRanks')     # for WatchZeros
    cfg.default_hooks.ticket['update'] = update
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert next(h for h in runner.hooks if isinstance(h, WatchRanks)).seen == 6
'''


@MODELS.register_module(force=True)
class UnusedLayerModel(ToyModel):
    """One layer has no part in the loss."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Conv2d(4, 4, 3)


_OFTEN = dict(interval=1, end='6it')
WAYS = dict(
    accumulation=dict(optim_wrapper=dict(accumulative_counts=4, clip_grad=dict(max_norm=0.5)),
                      custom_hooks=[dict(type='SyncBuffersHook')]),
    ema=dict(custom_hooks=[dict(type='EMAHook', momentum=0.2)],
             default_hooks=dict(checkpoint=dict(save_best='toy/AP', rule='greater'))),
    unused=dict(model=dict(type='UnusedLayerModel'),
                model_wrapper_cfg=dict(find_unused_parameters=True)),
    static_graph=dict(model_wrapper_cfg=dict(static_graph=True)),
    bucket_view=dict(model_wrapper_cfg=dict(gradient_as_bucket_view=True)),
    set=dict(update=dict(type='set', **_OFTEN), optim_wrapper=dict(accumulative_counts=2),
             model_wrapper_cfg=dict(gradient_as_bucket_view=True)),
    rigl=dict(update=dict(type='rigl', interval=2, end='6it')),
    gradual=dict(update=dict(type='gradual', sparsity=0.7, **_OFTEN)))


# A process that ends while the group's threads run may be aborted.
_END = '''
import os
from mmlth.engine.ranks import leave_group
model = runner = None     # a wrapped model holds the group
leave_group()
tasks = '/proc/self/task'
threads = [open(f'{tasks}/{task}/comm').read() for task in os.listdir(tasks)]
assert not any('gloo' in name for name in threads), threads
'''


def launch(code, tmp_path, *args, timeout=300):
    script = tmp_path / 'script.py'
    script.write_text(code + _END)
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nproc_per_node=2',
         '--master_addr=127.0.0.1', f'--master_port={29600 + os.getpid() % 300}',
         str(script), str(TESTS), str(tmp_path), *args],
        capture_output=True, text=True, timeout=timeout, env={
            **os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''})


def test_lottery_on_two_ranks(tmp_path):
    result = launch(_LOTTERY, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (torch.load(tmp_path / f'rank_{r}.pth') for r in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    final = checkpoint_file.load(tmp_path / 'round_2/final.pth')
    for name, entry in final['mmlth']['masks'].items():
        assert int((final['state_dict'][name] == 0).sum()) >= 1
        assert torch.equal(final['state_dict'][name], first[name])
    assert (tmp_path / 'report.md').exists()
    rounds = read_lottery(tmp_path / 'lottery.json')['rounds']
    assert [entry['processes'] for entry in rounds] == [2] * 3
    assert rounds[0]['rewind_iteration'] == 24 / (2 * 6)     # both go through the 24 images once
    result = launch(_LOTTERY, tmp_path, 'resume')       # nothing left to do
    assert result.returncode == 0, result.stderr[-3000:]


def test_differing_masks_stop_every_rank(tmp_path):
    result = launch(_DIFFER, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    for rank in range(2):
        assert 'different masks' in (tmp_path / f'refused_{rank}').read_text()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The folder in which two ranks have trained a ticket in each of the ways."""
    folder = tmp_path_factory.mktemp('ways')
    for name, change in WAYS.items():
        ticket = folder / name / 'ticket.safetensors'
        if name == 'unused':
            model = UnusedLayerModel()
            Ticket.draw(draw(select(model), 0.7), snapshot(model), {}, 'test').save(ticket)
        else:
            make_ticket(ticket, sparsity=0.0 if name == 'gradual' else 0.7)
    result = launch(_WAYS, folder)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


@pytest.mark.parametrize('way', WAYS)
def test_zeros_in_every_file_of_two_ranks(trained, way):
    ticket = Ticket.load(trained / way / 'ticket.safetensors')
    paths = sorted((trained / way).glob('*.pth'))
    assert len(paths) == 2 if way == 'ema' else len(paths) == 1
    for path in paths:
        checkpoint = checkpoint_file.load(path)
        state, averaged = checkpoint['state_dict'], checkpoint.get('ema_state_dict', {})
        assert bool(averaged) == (way == 'ema')
        mask = masks_of(checkpoint['mmlth'])
        assert set(mask) == set(ticket.mask) <= set(state)
        assert (digest(mask) != digest(ticket.mask)) == ('update' in WAYS[way])
        for name, keep in mask.items():
            assert not state[name][~keep].any()
            assert not averaged or not averaged[f'module.{name}'][~keep].any()
        assert not torch.equal(state['head.weight'], ticket.state['head.weight'])


def test_an_unused_masked_layer_stays_as_the_ticket_has_it(trained):
    ticket = Ticket.load(trained / 'unused/ticket.safetensors')
    state = checkpoint_file.load(trained / 'unused/iter_6.pth')['state_dict']
    assert 'unused.weight' in ticket.mask
    assert torch.equal(state['unused.weight'], ticket.state['unused.weight'])


def test_sync_bn_keeps_the_names_of_scope_and_ticket():
    """Its training needs GPUs: DistributedDataParallel refuses SyncBatchNorm on a CPU."""
    plain, converted = ToyModel(), convert_sync_batchnorm(ToyModel(), 'torch')
    assert isinstance(converted.backbone[1], nn.SyncBatchNorm)
    assert list(select(converted)) == list(select(plain))
    assert list(snapshot(converted)) == list(snapshot(plain))
