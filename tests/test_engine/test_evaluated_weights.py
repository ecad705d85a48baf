"""Which copy of the weights a tool takes of a checkpoint that has two, and of which files none."""
import pytest
import torch
from mmengine.runner import Runner
from toy import ToyModel, toy_config

from mmlth.core import Ticket, draw, select, snapshot
from mmlth.core.errors import UserError
from mmlth.engine.from_checkpoint import draw_from_checkpoint
from mmlth.engine.loading import load_weights
from mmlth.engine.packed import pack
from mmlth.engine.pruned_model import pruned_model

NAME = 'backbone.0.weight'


@pytest.fixture(scope='module')
def averaged(tmp_path_factory):
    """A config with an EMAHook, and the best checkpoint of its training, as stock tools leave."""
    work_dir = tmp_path_factory.mktemp('averaged')
    cfg = toy_config(work_dir, custom_hooks=[dict(type='EMAHook', momentum=0.02)],
                     default_hooks=dict(checkpoint=dict(save_best='toy/AP', rule='greater')))
    Runner.from_cfg(cfg).train()
    path, = work_dir.glob('best_*.pth')
    return cfg, path


def test_what_is_evaluated_is_packed_and_timed_and_masks_are_drawn_of_what_is_trained(averaged):
    cfg, path = averaged
    saved = torch.load(path, weights_only=False)
    average, trained = saved['state_dict'][NAME], saved['ema_state_dict'][f'module.{NAME}']
    assert not torch.equal(average, trained)
    assert torch.equal(pack(cfg, str(path)).weights()[NAME], average)
    assert torch.equal(pruned_model(cfg, str(path)).state_dict()[NAME], average)
    ticket = draw_from_checkpoint(cfg, str(path), sparsity=0.5)
    assert torch.equal(ticket.state[NAME], trained * ticket.mask[NAME])


def other(path):
    torch.save(dict(state_dict={'foo.weight': torch.zeros(3)}), path)
    return 'does not fit this model'


def broken(path):
    path.write_text('x')
    return 'cannot be read as a checkpoint'


def malformed(path):
    masks = {'backbone.0.weight': dict(bits=None)}
    torch.save(dict(state_dict=ToyModel().state_dict(), mmlth=dict(masks=masks)), path)
    return 'cannot be read as a checkpoint'


def a_ticket(path):
    model = ToyModel()
    Ticket.draw(draw(select(model), 0.5), snapshot(model), {}, 'test').save(path)
    return 'is a ticket, .* train it with TicketHook'


@pytest.mark.parametrize('make', [other, broken, malformed, a_ticket])
@pytest.mark.parametrize('evaluated', [True, False])
def test_what_is_no_checkpoint_of_this_model_is_refused(averaged, tmp_path, make, evaluated):
    path = tmp_path / ('a.safetensors' if make is a_ticket else 'a.pth')
    message = make(path)
    with pytest.raises(UserError, match=message):
        load_weights(path, ToyModel(), evaluated)
    if evaluated:
        with pytest.raises(UserError, match=message):
            pruned_model(averaged[0], str(path))


def test_a_packed_model_is_told(averaged, tmp_path):
    cfg, path = averaged
    pack(cfg, str(path)).save(tmp_path / 'model.safetensors')
    with pytest.raises(UserError, match='is a packed model, .* the checkpoint that it was packed'):
        pruned_model(cfg, str(tmp_path / 'model.safetensors'))
