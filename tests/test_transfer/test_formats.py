"""Weights and masks in files of other programs, where no more than the naming differs."""
import argparse

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from toy import ToyModel, lottery_config

from mmlth.core import select, snapshot
from mmlth.core.errors import UserError
from mmlth.engine.from_checkpoint import draw_from_checkpoint
from mmlth.transfer import read_source, transfer


@pytest.fixture
def model():
    torch.manual_seed(4)
    return ToyModel()


def pruned(model):
    """By torch's own tool; what it did to the model, and the masks."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            prune.l1_unstructured(module, 'weight', amount=0.75)
    masks = {n.removesuffix('_mask'): m.bool() for n, m in model.named_buffers() if '_mask' in n}
    return model.state_dict(), masks


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


FILES = {
    'plain': lambda state: state,
    'ddp': lambda state: prefixed(state, 'module.'),
    'compiled in ddp': lambda state: prefixed(state, 'module._orig_mod.'),
    'lightning': lambda state: {
        'state_dict': prefixed(state, 'model.'), 'pytorch-lightning_version': '2.1', 'epoch': 3,
        'hyper_parameters': argparse.Namespace(lr=0.1), 'callbacks': {}},
    'sparseml': lambda state: dict(state_dict=prefixed(state, 'module.'), arch_key='r18', epoch=1,
                                   recipe='modifiers: []'),
    'torchvision': lambda state: dict(model=state, optimizer=dict(state={}), epoch=2),
    'net': lambda state: dict(net=state, acc=90.),
    'timm': lambda state: dict(state_dict_ema=prefixed(state, 'module.')),
    'average alone': lambda state: dict(
        meta={}, ema_state_dict={'steps': torch.tensor(5), **prefixed(state, 'module.')}),
    'sparse': lambda state: {n: t.to_sparse() if t.dim() > 1 else t for n, t in state.items()},
    'deep': lambda state: dict(model=dict(state_dict=state), args=argparse.Namespace()),
}


@pytest.mark.parametrize('kind', FILES)
def test_the_weights_in_a_file(model, tmp_path, kind):
    """Drawing takes them all; a transfer finds their places."""
    expected = snapshot(model)
    torch.save(FILES[kind](model.state_dict()), tmp_path / 'x.pth')
    ticket = draw_from_checkpoint(lottery_config(tmp_path), tmp_path / 'x.pth', sparsity=0)
    assert ticket.state.keys() == expected.keys()
    assert all(torch.equal(ticket.state[n], t) for n, t in expected.items())
    carried, report = transfer(read_source(tmp_path / 'x.pth', sparsity=0.5), ToyModel(), 'same')
    assert carried.state.keys() == expected.keys() and not report.missing


@pytest.mark.parametrize('kind', FILES)
def test_masks_of_torch_prune(model, tmp_path, kind):
    weights = dict(snapshot(model))
    state, masks = pruned(model)
    torch.save(FILES[kind](state), tmp_path / 'x.pth')
    source = read_source(tmp_path / 'x.pth')
    assert source.origin == 'the masks of torch.nn.utils.prune'
    ticket, report = transfer(source, ToyModel(), 'same')
    drawn = draw_from_checkpoint(lottery_config(tmp_path), tmp_path / 'x.pth')
    assert not report.missing and all('same_head.' in name for name in report.left_out)
    for found in (ticket, drawn):
        # the layer that the model has under two names, once
        assert set(found.mask) == {'backbone.0.weight', 'head.weight'}
        for name, keep in found.mask.items():
            assert torch.equal(keep, masks[name])
            assert torch.equal(found.state[name], weights[name] * keep)
    other = draw_from_checkpoint(lottery_config(tmp_path), tmp_path / 'x.pth', sparsity=0.9)
    assert len(other.mask) == 3 and not (other.mask['head.weight'] & ~masks['head.weight']).any()


def test_masks_of_nni(model, tmp_path):
    """They come without weights, and with masks of biases that prune nothing."""
    keep = {n: torch.rand(w.shape) > 0.5 for n, w in select(model).items()}
    torch.save({n.removesuffix('.weight'): dict(weight=m.float(), bias=torch.ones(len(m)))
                for n, m in keep.items()}, tmp_path / 'masks.pth')
    source = read_source(tmp_path / 'masks.pth')
    ticket, _ = transfer(source, model, 'same')
    assert ticket.state == {} and ticket.mask.keys() == keep.keys()
    assert all(torch.equal(ticket.mask[n], m) for n, m in keep.items())
    with pytest.raises(UserError, match='masks.pth is a mask without weights'):
        draw_from_checkpoint(lottery_config(tmp_path), tmp_path / 'masks.pth')
    with pytest.raises(UserError, match='only a mask, nothing to prune'):
        read_source(tmp_path / 'masks.pth', sparsity=0.5)


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)


@pytest.mark.parametrize('value, found', [
    (Wrapped(), r'an object of .*test_formats.Wrapped \(a whole model'),
    (dict(model=Wrapped(), epoch=1), r'the keys model, epoch with objects of .*Wrapped'),
    (dict(epoch=1, loss=2.), 'the keys epoch, loss'), ([torch.ones(1)], 'list of 1'),
    (torch.ones(1), 'Tensor'),
    ({'conv': {'weight': torch.ones(2, 2) / 2}}, 'conv.weight is no mask'),
    (dict(body={'a.weight': torch.rand(2, 2)}, tail={'b.weight': torch.rand(2, 2)}),
     'no tensors by parameter name: .* found the keys body, tail'),
    (dict(generator={'a.weight': torch.rand(2, 2)}, best=torch.tensor(0.5)),
     'found the keys generator, best'),
    ({'w_orig': torch.ones(2), 'w_mask': torch.ones(2) / 2}, 'w_mask is no mask')])
def test_what_is_refused(tmp_path, value, found):
    torch.save(value, tmp_path / 'x.pth')
    with pytest.raises(UserError, match=found):
        read_source(tmp_path / 'x.pth')


def test_attention_masks_are_no_weights(tmp_path):
    """Swin's buffer is half zeros, which makes no ticket of a dense checkpoint."""
    weight = torch.rand(8, 4, 3, 3) + 1
    state = {'conv.weight': weight, 'attn_mask': torch.ones(4, 7, 7).triu()}
    torch.save(state, tmp_path / 'x.pth')
    with pytest.raises(UserError, match='it is a dense checkpoint'):
        read_source(tmp_path / 'x.pth')
    weight[3] = 0       # a filter that died
    torch.save(state, tmp_path / 'x.pth')
    with pytest.raises(UserError, match='36 of 288 weights .* 1 whole filters'):
        read_source(tmp_path / 'x.pth')
    assert read_source(tmp_path / 'x.pth', zeros=True).mask.keys() == {'conv.weight'}
