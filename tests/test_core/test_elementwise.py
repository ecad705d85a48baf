"""Optimizers on toy weights: which may hold the survivors alone."""
import pytest
import torch
from torch.optim import Optimizer

from mmlth.core.elementwise import check_elementwise, check_grown
from mmlth.core.errors import UserError

FINE = ['Adadelta', 'Adagrad', 'Adam', 'Adamax', 'AdamW', 'ASGD', 'NAdam', 'RAdam', 'RMSprop',
        'Rprop', 'SGD']


class Scaled(Optimizer):
    """The gradient divided by a statistic of its layer, from the ``start``-th step on."""

    def __init__(self, params, statistic, start=0, lr=0.1):
        super().__init__(params, dict(lr=lr))
        self.statistic, self.start, self.steps = statistic, start, 0

    def step(self):
        for group in self.param_groups:
            for param in group['params']:
                if self.steps >= self.start:
                    scale = self.statistic(param.grad)
                    param.detach().sub_(param.grad / scale, alpha=group['lr'])
        self.steps += 1


class Swapping(Scaled):
    """Its eval() puts other weights into the parameters, as schedule-free optimizers do."""
    training = False

    def train(self):
        self.training = True

    def eval(self):
        for param in self.param_groups[0]['params']:
            param.detach().mul_(0.5)

    def step(self):
        assert self.training
        super().step()


@pytest.mark.parametrize('steps', [0, 2])
@pytest.mark.parametrize('name', FINE)
def test_elementwise_optimizers_pass(name, steps):
    kind = getattr(torch.optim, name)
    for lr in (1.0, 1e-6):
        assert check_elementwise(name, lambda p: kind(p, lr=lr), steps) is None


def test_a_layers_norm_passes():
    """LARS and LAMB: pruned weights and their gradients add nothing to it."""
    assert check_elementwise('LARS', lambda p: Scaled(p, torch.linalg.norm)) is None


@pytest.mark.parametrize('statistic, start', [
    (lambda g: g.abs().mean(), 0),
    (lambda g: g.abs().mean(), 5),
    (lambda g: g.abs().amax(-1, keepdim=True), 0),
    (lambda g: torch.linalg.norm(g) if g.dim() > 1 else 1.0, 0),
    (lambda g: torch.linalg.norm(g) if g.dim() > 2 else 1.0, 0)],
    ids=['mean', 'later', 'rows', 'not of vectors', 'only of kernels'])
def test_other_statistics_are_refused(statistic, start):
    with pytest.raises(UserError, match='Scaled does not update each weight by itself'):
        check_elementwise('Scaled', lambda p: Scaled(p, statistic, start, lr=1e-5))


@pytest.mark.parametrize('rate', [1e30, 1e60])
def test_settings_that_diverge_are_no_fault_of_the_optimizer(rate):
    """Not a number is not equal to itself."""
    reason = check_elementwise('SGD', lambda p: torch.optim.SGD(
        p, lr=rate, momentum=0.9, weight_decay=0.01))
    assert reason is None or 'do not stay finite' in reason


def test_factored_and_matrix_optimizers_are_refused():
    for name, message in (('Adafactor', 'does not update each weight by itself'),
                          ('Muon', 'as one vector .ValueError'),
                          ('LBFGS', 'only with a closure')):
        if hasattr(torch.optim, name):
            with pytest.raises(UserError, match=message):
                check_elementwise(name, getattr(torch.optim, name))


def test_state_that_cannot_be_moved_is_refused_where_it_is():
    class Rows(Scaled):
        def step(self):
            for param in self.param_groups[0]['params']:
                self.state[param].setdefault('rows', torch.zeros(param.shape[:1]))
            super().step()

    build = (lambda p: Rows(p, torch.linalg.norm))
    assert check_elementwise('Rows', build) is None
    with pytest.raises(UserError, match="keeps the state 'rows'"):
        check_elementwise('Rows', build, dense_steps=2)


def test_changes_outside_step_are_refused():
    with pytest.raises(UserError, match=r'changes weights in eval\(\), outside step\(\)'):
        check_elementwise('Swapping', lambda p: Swapping(p, torch.linalg.norm))


def test_what_cannot_be_tried_says_why():
    def build(params):
        raise RuntimeError('no such device')
    assert check_elementwise('Fused', build) == 'RuntimeError: no such device'


def test_state_that_does_not_begin_with_0_is_refused_where_weights_grow():
    class Ones(torch.optim.SGD):
        def step(self):
            for param in self.param_groups[0]['params']:
                self.state[param].setdefault('scale', torch.ones_like(param))
            super().step()

    check_grown('Adam', torch.optim.Adam)
    check_grown('Adagrad', lambda p: torch.optim.Adagrad(p, initial_accumulator_value=0.3))
    with pytest.raises(UserError, match="Ones begins the state 'scale' of a weight with 1; a "):
        check_grown('Ones', lambda p: Ones(p, lr=0.1))
    with pytest.raises(UserError, match='Rprop keeps a step size for every weight'):
        check_grown('Rprop', torch.optim.Rprop)
