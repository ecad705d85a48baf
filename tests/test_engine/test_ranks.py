"""Drawing on two ranks, and an error on one of them."""
import pytest
import torch
from mmengine.registry import MODEL_WRAPPERS, MODELS
from mmengine.runner import Runner
from test_distributed import launch
from torch import nn
from toy import ToyModel, toy_config

from mmlth.core import Ticket, paths
from mmlth.core.errors import UserError
from mmlth.engine import ranks

# Every part in one start of the two processes.
_DRAW = '''
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + '/test_engine']
import torch
from pathlib import Path
from mmengine.runner import Runner
import toy
from test_ranks import snip_config
torch.distributed.init_process_group('gloo')
rank, root = torch.distributed.get_rank(), Path(sys.argv[2])

def attempt(name, **change):
    try:
        cfg = snip_config(root / name, launcher='pytorch', **change)
        cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
        Runner.from_cfg(cfg).train()
        said = 'trained'
    except Exception as error:
        said = f'{type(error).__name__}: {error}'
    (root / f'{name}_{rank}').write_text(said)

attempt('snip', randomness=dict(diff_rank_seed=True))
(root / 'file').write_text('no folder')
attempt('write', default_hooks=dict(prune=dict(out=str(root / 'file/ticket'))))

def broken(self, index):
    raise OSError('this disk is broken')

if rank == 1:
    toy.ToyDataset.__getitem__ = broken
attempt('data')
'''


@MODELS.register_module(force=True)
class ReducingModel(ToyModel):
    """Divides its loss by a mean over all ranks, as MMDetection's ``reduce_mean`` does."""

    def forward(self, inputs, labels, mode='tensor'):
        out = super().forward(inputs, labels, mode)
        if mode == 'loss':
            count = torch.tensor(float(len(labels)))
            if torch.distributed.is_initialized():
                torch.distributed.all_reduce(count.div_(torch.distributed.get_world_size()))
            out['loss'] = out['loss'] / count
        return out


def snip_config(work_dir, **change):
    cfg = toy_config(work_dir, iters=4, val=False)
    cfg.model.type = 'ReducingModel'
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', score='snip', iterations=2, batches=2)
    cfg.merge_from_dict(change)
    return cfg


def test_two_ranks_draw_as_one_does_and_fail_together(tmp_path):
    Runner.from_cfg(snip_config(tmp_path / 'alone')).train()
    result = launch(_DRAW, tmp_path, timeout=100)
    assert result.returncode == 0, result.stderr[-3000:]
    said = {name: [(tmp_path / f'{name}_{rank}').read_text() for rank in range(2)]
            for name in ('snip', 'write', 'data')}
    assert said['snip'] == ['trained', 'trained']
    alone, two = (Ticket.load(tmp_path / name / paths.NEXT_TICKET).mask
                  for name in ('alone', 'snip'))
    assert all(torch.equal(alone[name], two[name]) for name in alone)
    first, second = said['write']
    assert first.startswith('UserError') and 'ticket could not be written' in first
    assert second.startswith('UserError: rank 0 has failed') and 'could not be written' in second
    first, second = said['data']
    assert 'this disk is broken' in second
    assert first.startswith('RuntimeError: rank 1 has failed') and 'this disk' in first


class Sharded(nn.Module):
    """As FullyShardedDataParallel: its parameters are flat."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def test_a_lone_prune_hook_names_the_model_wrapper(tmp_path):
    MODEL_WRAPPERS.register_module(module=Sharded, force=True)
    try:
        runner = Runner.from_cfg(snip_config(tmp_path))
        runner.model = Sharded(runner.model)
        hook = next(h for h in runner.hooks if type(h).__name__ == 'PruneHook')
        with pytest.raises(UserError, match='the model wrapper Sharded partitions or splits'):
            hook.before_train(runner)
    finally:
        MODEL_WRAPPERS.module_dict.pop('Sharded')


@pytest.mark.parametrize('rounded', [True, False])
def test_masks_that_differ(monkeypatch, rounded):
    """Rank 0's holds where gradients were rounded; anything else is an error."""
    mine = dict(a=torch.tensor([[True, False]]))
    sent = [{'a': ranks.masks.pack(~mine['a'])}]
    monkeypatch.setattr(ranks, 'all_gather_object', lambda digest: [digest, 'another'])
    monkeypatch.setattr(ranks, 'broadcast_object_list',
                        lambda values: values.__setitem__(0, sent[0]))
    if rounded:
        assert torch.equal(ranks.agreed(mine, True)['a'], ~mine['a'])
    else:
        with pytest.raises(RuntimeError, match='the ranks draw different masks'):
            ranks.agreed(mine, False)
