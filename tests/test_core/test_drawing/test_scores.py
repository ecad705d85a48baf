"""Scores against their definitions, and the model as it was before."""
import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmlth.core import Drawing, Probe, draw, select
from mmlth.core.drawing.scores import SCORES, hessian_gradients
from mmlth.core.errors import UserError
from mmlth.core.mask import emptied
from mmlth.core.probe import mean_gradient


def batches(count=3, features=6, classes=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(8, features, generator=generator, dtype=dtype),
             torch.randint(classes, (8,), generator=generator)) for _ in range(count)]


def smooth_net(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5), nn.Tanh(),
                         nn.Linear(5, 3)).to(dtype)


def probe_of(model, data=None, seed=0, ones=(2, 6)):
    dtype = next(model.parameters()).dtype
    data = batches(dtype=dtype) if data is None else data

    def losses():
        for inputs, labels in data:
            yield nn.functional.cross_entropy(model(inputs), labels)

    def outputs(twin):
        return [twin(torch.ones(ones, dtype=next(twin.parameters()).dtype))]

    return Probe(model, losses, outputs, seed)


def mean_loss(model, data):
    return sum(nn.functional.cross_entropy(model(x), y) for x, y in data) / len(data)


def exact_product(model, weights, data):
    """Hessian times gradient by differentiating twice."""
    params = list(weights.values())
    gradient = torch.autograd.grad(mean_loss(model, data), params, create_graph=True)
    inner = sum((g * g.detach()).sum() for g in gradient)
    return dict(zip(weights, torch.autograd.grad(inner, params)))


def test_snip_is_weight_times_mean_gradient():
    model = smooth_net()
    weights = select(model)
    scores = SCORES['snip'](weights, probe_of(model))
    grads = torch.autograd.grad(mean_loss(model, batches()), list(weights.values()))
    assert list(scores.tensors) == list(weights) and not scores.absolute
    for (name, weight), grad in zip(weights.items(), grads):
        torch.testing.assert_close(scores.tensors[name], (weight * grad).abs().detach())


@pytest.mark.parametrize('dtype, tolerance', [(torch.float64, 2e-4), (torch.float32, 1e-2)])
def test_the_central_difference_is_the_hessian_times_the_gradient(dtype, tolerance):
    model, data = smooth_net(dtype), batches(dtype=dtype)
    weights = {n: w for n, w in select(model).items() if n != '2.weight'}
    exact = exact_product(model, weights, data)
    (close,) = hessian_gradients(weights, probe_of(model, data))
    for name in weights:
        error = (close[name] - exact[name]).norm() / exact[name].norm()
        assert float(error) < tolerance


@pytest.mark.parametrize('scale', [1e-3, 1e4])
def test_the_step_is_as_long_for_losses_of_any_size(scale):
    model = smooth_net(torch.float64)
    weights, probe = select(model), probe_of(model)
    scaled = Probe(model, lambda: (scale * loss for loss in probe.losses()), None)
    (plain,), (product,) = (hessian_gradients(weights, p) for p in (probe, scaled))
    for name in weights:
        torch.testing.assert_close(product[name], scale ** 2 * plain[name])


def test_grasp_keeps_the_highest_weight_times_product():
    model, data = smooth_net(), batches()
    weights = select(model)
    scores = SCORES['grasp'](weights, probe_of(model, data))
    product = exact_product(model, weights, data)
    exact = torch.cat([(w * product[n]).detach().view(-1) for n, w in weights.items()])
    close = torch.cat([s.view(-1) for s in scores.tensors.values()])
    assert float(torch.corrcoef(torch.stack([r.argsort().argsort().double()
                                             for r in (exact, close)]))[0, 1]) > 0.999
    assert (close < 0).any() and (close > 0).any()


def test_grasp_drops_the_weight_without_which_the_gradient_grows():
    """L = w'Aw / 2: g = Aw = (-1, -5, 1) and Hg = (-7, -11, 1) by hand.

    Without the first weight |g|^2 is 6 * 6 + 3 * 3 + 1 = 46 and not 27.
    """
    curve = torch.tensor([[2.0, 1, 0], [1, 2, 0], [0, 0, 1]])
    weight = nn.Parameter(torch.tensor([1.0, -3, 1]))
    model = nn.Module()
    model.weight = weight
    probe = Probe(model, lambda: (weight @ curve @ weight / 2 for _ in range(2)), outputs=None)
    scores = SCORES['grasp']({'weight': weight}, probe).tensors['weight']
    torch.testing.assert_close(scores, torch.tensor([-7.0, 33, 1]), rtol=1e-3, atol=0.01)
    mask = draw({'weight': weight}, 1 / 3, score='grasp', probe=probe)['weight']
    assert mask.tolist() == [False, True, True]


def flow_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 30, 3, bias=False), nn.ReLU(), nn.Flatten(),
                         nn.Linear(270, 4, bias=False), nn.ReLU(),
                         nn.Linear(4, 50, bias=False), nn.ReLU(), nn.Linear(50, 3, bias=False))


def flow_probe(model):
    return probe_of(model, data=[], ones=(1, 2, 5, 5))


def test_synflow_is_conserved_from_layer_to_layer():
    """Tanaka et al. 2020, theorem 2: what flows into a layer flows out of it."""
    model = flow_net()
    scores = SCORES['synflow'](select(model), flow_probe(model))
    sums = [float(s.double().exp().sum()) for s in scores.tensors.values()]
    assert len(sums) == 4 and sums == pytest.approx([sums[0]] * 4, rel=1e-4)
    twin = copy.deepcopy(model).double()
    with torch.no_grad():
        for param in twin.parameters():
            param.abs_()
        (total,) = map(torch.sum, flow_probe(model).outputs(twin))
    assert sums[0] == pytest.approx(float(total), rel=1e-4)


def test_synflow_of_two_weights_by_hand():
    """R = 2 * (3 + 0.5) * 4: two inputs of ones through |w| and |bias|."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(-3)
        model[0].bias.fill_(-0.5)
        model[1].weight.fill_(4)
    scores = SCORES['synflow'](select(model), probe_of(model, data=[], ones=(2, 1))).tensors
    assert float(scores['0.weight']) == pytest.approx(math.log(2 * 3 * 4), rel=1e-6)
    assert float(scores['1.weight']) == pytest.approx(math.log(2 * 3.5 * 4), rel=1e-6)


def test_synflow_is_taken_in_eval_mode():
    """In training mode batch norm makes zeros of equal inputs, and nothing flows."""
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model.train()
    trained = SCORES['synflow'](select(model), probe_of(model, data=[])).tensors
    evaluated = SCORES['synflow'](select(model.eval()), probe_of(model, data=[])).tensors
    assert all(torch.equal(trained[n], evaluated[n]) for n in trained)
    assert float(trained['0.weight'].min()) > -20


def test_synflow_of_a_model_that_saves_more_than_tensors():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return dict(n=1)

        def set_extra_state(self, state):
            """There is none to set."""

    model, plain = Extra(3, 2), nn.Linear(3, 2)
    plain.load_state_dict(model.state_dict(), strict=False)
    found, expected = (SCORES['synflow'](select(net), probe_of(net, [], ones=(1, 3))).tensors[
        'weight'] for net in (model, plain))
    assert torch.equal(found, expected)


def test_synflow_beyond_fp32_and_below_any_double():
    layers = [nn.Linear(8, 8, bias=False) for _ in range(40)]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in layers:
            layer.weight.fill_(100.0)
        layers[3].weight[2, 5] = 0
    weights = dict(select(model), unused=nn.Parameter(torch.ones(2)))
    model.register_parameter('unused', weights['unused'])
    scores = SCORES['synflow'](weights, probe_of(model, data=[], ones=(1, 8))).tensors
    assert all(torch.isfinite(s).all() and s.dtype == torch.float32 for s in scores.values())
    assert float(scores['0.weight'].max()) > math.log(1e60)
    lowest = float(scores['3.weight'].min())
    assert lowest == float(scores['3.weight'][2, 5]) == float(scores['unused'].max()) < -700


def test_synflow_in_its_steps_empties_no_layer_where_one_step_does():
    model = flow_net()
    weights, probe = select(model), flow_probe(model)
    steps = SCORES['synflow'].iterations
    assert steps == 100
    for sparsity in (0.9, 0.98):
        survivors = draw(weights, sparsity, score='synflow', probe=probe, iterations=steps)
        assert not emptied(survivors)
        total = sum(m.numel() for m in survivors.values())
        assert sum(int((~m).sum()) for m in survivors.values()) == round(sparsity * total)
    assert emptied(draw(weights, 0.98, score='synflow', probe=probe))
    assert emptied(draw(weights, 0.98, score='magnitude'))


def restless_net():
    """Batch norm, dropout, a frozen and an unused layer, a module in eval mode."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5),
                          nn.Dropout(0.0), nn.Linear(5, 3))
    model.add_module('aside', nn.ModuleList([nn.Linear(4, 4)]))
    model.__class__ = type('Net', (nn.Sequential,), {
        'forward': lambda self, x: nn.Sequential.forward(self[:6], x)})
    model[0].weight.requires_grad_(False)
    model[4].eval()
    for i, param in enumerate(model.parameters()):
        param.grad = torch.full_like(param, float(i))
    return model


def state_of(model):
    return ([(n, t.clone(), id(t)) for n, t in model.state_dict(keep_vars=True).items()],
            [(p.requires_grad, p.grad.clone(), id(p.grad)) for p in model.parameters()],
            [m.training for m in model.modules()])


def assert_same(one, two):
    for left, right in zip(one, two):
        assert len(left) == len(right)
        for a, b in zip(left, right):
            a, b = (x if isinstance(x, tuple) else (x,) for x in (a, b))
            assert all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
                       for x, y in zip(a, b))


@pytest.mark.parametrize('score', SCORES)
@pytest.mark.parametrize('fails', [False, True])
def test_scoring_leaves_the_model_as_it_was(score, fails):
    model = restless_net()
    probe = switching(probe_of(model))
    if fails:
        probe = failing(probe)
    before = state_of(model)
    assert any(model[1].running_mean == 0)
    with torch.no_grad():       # as hooks may run
        try:
            draw(select(model), 0.8, score=score, probe=probe, iterations=3)
            assert not fails or not SCORES[score].probed
        except ZeroDivisionError:
            assert fails and SCORES[score].probed
    assert_same(state_of(model), before)


class Checkpointed(nn.Sequential):
    """Keeps no activations, as a backbone with ``with_cp=True``."""

    def forward(self, x):
        return checkpoint(super().forward, x.requires_grad_(True), use_reentrant=True)


@pytest.mark.parametrize('score', [name for name in SCORES if SCORES[name].probed])
def test_checkpointed_activations_change_no_score(score):
    plain = smooth_net()
    model = Checkpointed(*copy.deepcopy(plain))
    found, expected = (draw(select(net), 0.5, score=score, probe=probe_of(net), iterations=2)
                       for net in (model, plain))
    assert all(torch.equal(found[name], keep) for name, keep in expected.items())
    # As it was, also where something fails.
    with pytest.raises(ZeroDivisionError):
        draw(select(model), 0.5, score=score, probe=failing(probe_of(model)), iterations=3)
    assert model(torch.ones(2, 6)).grad_fn.name() == 'CheckpointFunctionBackward'


def switching(probe):
    """Sets the mode of all modules, as training loops do."""
    def losses():
        probe.model.train()
        yield from probe.losses()

    return Probe(probe.model, losses, probe.outputs)


def failing(probe):
    """Fails on a later pass, when weights are moved or zeroed."""
    calls = []

    def losses():
        calls.append(1)
        yield from probe.losses()
        if len(calls) > 1:
            raise ZeroDivisionError

    def outputs(twin):
        calls.append(1)
        if len(calls) > 1:
            raise ZeroDivisionError
        return probe.outputs(twin)

    return Probe(probe.model, losses, outputs)


def test_a_pass_in_training_mode_does_change_what_is_put_back():
    """Else the test above could not fail."""
    model = restless_net()
    before = model[1].running_mean.clone()
    for loss in probe_of(model).losses():
        assert loss.requires_grad
    assert not torch.equal(model[1].running_mean, before)


def test_frozen_weights_have_a_gradient_and_unused_ones_none():
    model = restless_net()
    gradient = mean_gradient(select(model), probe_of(model))
    assert gradient['0.weight'].any() and not gradient['aside.0.weight'].any()
    scores = SCORES['snip'](select(model), probe_of(model)).tensors
    assert scores['0.weight'].max() > 0 == scores['aside.0.weight'].max()


def test_gradients_that_share_memory_are_added_all_the_same():
    """The gradient of a sum is one number, expanded."""
    model = nn.Linear(4, 1, bias=False)
    probe = Probe(model, lambda: (model.weight.sum() * i for i in (1, 2, 6)), outputs=None)
    assert mean_gradient({'weight': model.weight}, probe)['weight'].tolist() == [[3.0] * 4]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**63 - 1), sparsity=st.floats(0, 1, exclude_max=True),
       steps=st.integers(1, 4))
def test_random_scores_depend_on_the_seed_alone(seed, sparsity, steps):
    model = nn.Sequential(nn.Linear(9, 7), nn.Linear(7, 1, bias=False))
    probe = Probe(model, None, None, seed)
    mask = draw(select(model), sparsity, score='random', probe=probe, iterations=steps)
    with torch.no_grad():
        model[0].weight.mul_(-100)
    again = draw(select(model), sparsity, score='random', probe=probe)
    assert all(torch.equal(mask[n], again[n]) for n in mask)
    assert sum(int((~m).sum()) for m in mask.values()) == round(sparsity * 70)


def test_random_seeds_and_layers_differ():
    weights = {'a': torch.zeros(1000), 'b': torch.zeros(1000, dtype=torch.float16)}
    drawn = [SCORES['random'](weights, Probe(nn.Identity(), None, None, seed)).tensors
             for seed in (0, 1)]
    tensors = [t for d in drawn for t in d.values()]
    assert all(t.dtype == torch.float32 and 0 <= t.min() and t.max() < 1 for t in tensors)
    assert len({float(t[0]) for t in tensors}) == 4
    assert all(0.45 < t.mean() < 0.55 for t in tensors)
    plain = SCORES['random'](weights).tensors       # without a probe the seed is 0
    assert torch.equal(plain['b'], drawn[0]['b'])


@pytest.mark.parametrize('score', [name for name, score in SCORES.items() if score.probed])
def test_scores_of_the_whole_network_need_a_probe(score):
    with pytest.raises(UserError, match=f"'{score}' needs the model .* inside a training"):
        draw(select(smooth_net()), 0.5, score=score)


@pytest.mark.parametrize('score', ['snip', 'grasp'])
def test_a_loss_that_says_nothing_is_refused(score):
    model = smooth_net()
    weights = select(model)

    def scored(losses):
        return SCORES[score](weights, Probe(model, losses, None))

    with pytest.raises(UserError, match='got no batch'):
        scored(lambda: iter(()))
    with pytest.raises(UserError, match='no gradient in any weight in scope'):
        scored(lambda: iter([torch.tensor(1.0)]))
    with pytest.raises(UserError, match='no gradient in any weight in scope'):
        scored(lambda: (model[0].bias.sum() for _ in range(1)))
    with pytest.raises(UserError, match=r'gradient of 0\.weight is not finite'):
        scored(lambda: ((model[0].weight.sum() * float('nan')) for _ in range(1)))


def test_outputs_that_say_nothing_are_refused():
    model = smooth_net()
    for outputs, message in [
            (lambda twin: [], 'no output of the model depends on a weight'),
            (lambda twin: [torch.ones(1)], 'no output of the model depends on a weight'),
            (lambda twin: [twin[0].weight.sum() * 1e300 * 1e300], 'not finite')]:
        with pytest.raises(UserError, match=message):
            SCORES['synflow'](select(model), Probe(model, None, outputs))


def test_every_score_has_a_number_of_steps():
    assert {score: Drawing(score).iterations for score in SCORES} == {
        'magnitude': 1, 'random': 1, 'snip': 1, 'grasp': 1, 'synflow': 100}


def test_steps_score_the_network_that_is_left():
    model = smooth_net()
    weights, probe = select(model), probe_of(model)
    once = draw(weights, 0.9, score='snip', probe=probe)
    many = draw(weights, 0.9, score='snip', probe=probe, iterations=5)
    assert any(not torch.equal(once[n], many[n]) for n in once)
    again = draw(weights, 0.9, score='snip', probe=probe, iterations=5)
    assert all(torch.equal(again[n], many[n]) for n in once)


def test_an_earlier_mask_is_in_force_while_scores_are_taken():
    model = smooth_net()
    weights, probe = select(model), probe_of(model)
    earlier = draw(weights, 0.5)
    mask = draw(weights, 0.8, score='snip', probe=probe, earlier=earlier)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.masked_fill_(~earlier[name], 0)
    assert all(torch.equal(m, draw(weights, 0.8, score='snip', probe=probe, earlier=earlier)[n])
               for n, m in mask.items())
    dense = smooth_net()
    unaware = draw(select(dense), 0.8, score='snip', probe=probe_of(dense))
    assert any(not torch.equal(m, unaware[n]) for n, m in mask.items())
