"""Optimizers and layers are tried before a training relies on them."""
import pytest
import torch
from mmengine.registry import MODELS, RUNNERS
from mmengine.runner import Runner
from torch import nn
from toy import ToyModel, lottery_config
from toy_ticket import make_ticket, ticket_config

from mmlth.core import Ticket, draw, paths, select, snapshot
from mmlth.core.errors import UserError
from mmlth.engine import optimizer_check
from mmlth.engine.optimizer_check import check_configured


@MODELS.register_module(force=True)
class StandardisedModel(ToyModel):
    """Its first convolution is standardised, its last layer has spectral norm."""

    def __init__(self):
        super().__init__()
        self.backbone[0].__class__ = WSConv
        self.head = self.same_head = nn.utils.spectral_norm(self.head)


class WSConv(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight, self.bias)


def log_of(folder):
    return next(folder.glob('2*/*.log')).read_text()


REFUSED = [('TorchAdafactor', 'does not update each weight by itself'),
           ('LBFGS', 'takes a step only with a closure'),
           ('Muon', 'cannot update the surviving weights')]
REFUSED = [(kind, text) for kind, text in REFUSED if hasattr(torch.optim, kind[-9:])]


@pytest.mark.parametrize('schedule', ['restart', 'resume'])
@pytest.mark.parametrize('kind, text', REFUSED)
def test_a_lottery_refuses_its_optimizer_before_round_0(tmp_path, kind, text, schedule):
    cfg = lottery_config(tmp_path / 'work', optimizer=dict(type=kind, lr=0.05), schedule=schedule)
    with pytest.raises(UserError, match=f'the optimizer {kind} {text}'):
        RUNNERS.build(cfg).train()
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize('kind, text', REFUSED[:1])
def test_a_ticket_refuses_its_optimizer_under_a_stock_runner(tmp_path, kind, text):
    make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, optimizer=dict(type=kind, lr=0.05))
    with pytest.raises(UserError, match=text):
        Runner.from_cfg(cfg).train()
    assert not list(tmp_path.glob('*.pth'))


def test_the_optimizers_own_arguments_are_tried(tmp_path):
    """Registered names, classes and paramwise options; and no random number is drawn."""
    state = torch.get_rng_state()
    for optimizer in (dict(type='AdamW', lr=1e-6, weight_decay=0.05, amsgrad=True),
                      dict(type='SGD', lr=1.0, momentum=0.9, nesterov=True)):
        cfg = lottery_config(tmp_path, optimizer=optimizer)
        cfg.optim_wrapper.paramwise_cfg = dict(norm_decay_mult=0.0)
        check_configured(cfg, moved=True)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_cannot_be_tried_is_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(optimizer_check, 'print_log', lambda text, *args: said.append(text))
    check_configured(lottery_config(tmp_path, optimizer=dict(type='SparseAdam', lr=0.1)), False)
    assert 'SparseAdam could not be tried on toy weights (RuntimeError' in said[0]


def test_layers_that_use_another_kernel_are_named(tmp_path):
    """By the hook that draws, before round 0, and by the one that trains the ticket."""
    cfg = lottery_config(tmp_path, log_level='INFO')
    cfg.model.type = 'StandardisedModel'
    RUNNERS.build(cfg).train()
    for index, zeros in ((0, 80), (1, None)):
        said = log_of(tmp_path / f'round_{index}')
        warned = said.index('1 layer(s) make their kernel of the weight before they use it')
        assert said[warned:].split('\n')[0].endswith('WSConv: backbone.0.weight')
        assert not zeros or f'with {zeros}% zeros in the parameters, 0% of the kernels' in said
        assert ('1 weight(s) are in no scope and stay dense' in said) == (index == 0)
    mask = Ticket.load(tmp_path / 'round_1' / paths.TICKET).mask
    assert 'backbone.0.weight' in mask and not any('head' in name for name in mask)


def test_usual_layers_are_not_named(tmp_path):
    RUNNERS.build(lottery_config(tmp_path)).train()
    for index in (0, 1):
        said = log_of(tmp_path / f'round_{index}')
        assert 'make their kernel' not in said and 'stay dense' not in said


def test_trying_layers_changes_nothing(tmp_path):
    torch.manual_seed(0)
    model = StandardisedModel()
    Ticket.draw(draw(select(model), 0.7), snapshot(model), {}, 'test').save(
        tmp_path / 'ticket.safetensors')
    runner = Runner.from_cfg(ticket_config(tmp_path, model=dict(type='StandardisedModel')))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    hook = next(h for h in runner.hooks if type(h).__name__ == 'TicketHook')
    hook.before_run(runner)
    state = torch.get_rng_state()
    hook.before_train(runner)
    assert torch.equal(torch.get_rng_state(), state)
    ticket = Ticket.load(tmp_path / 'ticket.safetensors')
    own = runner.model.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in ticket.state.items())
