"""Verify a training whose masks have moved: each checkpoint under its own, and their count."""
import pytest
import torch
from test_mask_updates import UPDATES, config, train

from mmlth.core import Ticket, checkpoint_file
from mmlth.engine.checkpoints import checkpoint_entry, masks_of
from mmlth.engine.verify import Violation, verify


@pytest.fixture(scope='module', params=['gradual', 'rigl', 'layerwise', 'floor'])
def trained(request, tmp_path_factory):
    """The folder of a training with four checkpoints; the name of its update."""
    folder = tmp_path_factory.mktemp(request.param)
    update = UPDATES.get(request.param) or dict(UPDATES['gradual'], allocation='layerwise', **(
        dict(sparsity=0.98, floor=0.01) if request.param == 'floor' else {}))
    train(config(folder, update, default_hooks=dict(checkpoint=dict(interval=3)),
                 custom_hooks=[dict(type='EMAHook', momentum=0.2)]))
    return folder, request.param


def change(folder, tmp_path, edit):
    """A copy of the folder, the last checkpoint's ``mmlth`` entry and weights edited."""
    for path in folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / 'iter_12.pth'
    checkpoint = checkpoint_file.load(path)
    edit(checkpoint)
    torch.save(checkpoint, path)


def test_every_checkpoint_is_verified_under_its_own_masks(trained):
    folder, kind = trained
    lines = [line for line in verify(folder) if line.startswith('iter_')]
    assert len(lines) == 4
    words = dict(gradual='as many as the update says after iteration 10,',
                 layerwise='as many as the update says after iteration 10, of every layer',
                 floor='as many as the update says after iteration 10, of every layer',
                 rigl='as many of every layer as in ticket.safetensors')[kind]
    assert words in next(line for line in lines if line.startswith('iter_12.pth'))
    assert all('EMA too, optimizer holds the survivors only' in line for line in lines)


def test_a_weight_too_many_is_found(trained, tmp_path):
    folder, kind = trained

    def revive(checkpoint):
        mask = masks_of(checkpoint['mmlth'])
        mask['head.weight'].view(-1)[(~mask['head.weight']).view(-1).nonzero()[0]] = True
        checkpoint['mmlth'].update(checkpoint_entry(mask))

    change(folder, tmp_path, revive)
    where = 'the scope' if kind == 'gradual' else 'head.weight'
    with pytest.raises(Violation, match=rf'iter_12.pth: \d+ of \d+ weights of {where} are pruned'):
        verify(tmp_path)


def test_a_pruned_weight_that_is_not_zero_is_found(trained, tmp_path):
    def fill(checkpoint):
        keep = masks_of(checkpoint['mmlth'])['head.weight']
        checkpoint['state_dict']['head.weight'][~keep] = 1.0

    change(trained[0], tmp_path, fill)
    with pytest.raises(Violation, match='head.weight has .* weights that are not 0'):
        verify(tmp_path)


def test_another_ticket_is_found(trained, tmp_path):
    change(trained[0], tmp_path, lambda checkpoint: None)
    ticket = Ticket.load(tmp_path / 'ticket.safetensors')
    ticket.mask['head.weight'] = torch.rand(ticket.mask['head.weight'].shape) < 0.5
    Ticket.draw(ticket.mask, ticket.state, {}, 'test').save(tmp_path / 'ticket.safetensors')
    with pytest.raises(Violation, match='its training has begun with other masks than those of'):
        verify(tmp_path)


@pytest.mark.parametrize('entry', [
    3, dict(done='10', ticket='x', target=None), dict(done=10, ticket=None, target=None),
    dict(done=10, ticket='x', target=dict(sparsity='0.8', exact='scope')),
    dict(done=10, ticket='x', target=dict(sparsity=0.8, exact='half'))], ids=str)
def test_what_is_malformed_is_found(trained, tmp_path, entry):
    change(trained[0], tmp_path, lambda checkpoint: checkpoint['mmlth'].update({'update': entry}))
    with pytest.raises(Violation, match='iter_12.pth: what mmlth.update notes .* is malformed'):
        verify(tmp_path)
