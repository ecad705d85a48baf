"""Masks that change within a training, against an optimizer masked by hand."""
import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_binding_property import LAYERS
from torch import nn

from mmlth.core import MaskBinding
from mmlth.core import survivors as spans
from mmlth.core.errors import UserError
from mmlth.core.mask import apply, digest

OPTIMIZERS = {
    'SGD': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05),
    'Nesterov': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    'Adam': lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.05),
    'AMSGrad': lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    'AdamW': lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.5),
    'RMSprop': lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    'Adagrad': lambda p: torch.optim.Adagrad(p, lr=0.05, initial_accumulator_value=0.3)}
DENSITIES = [0.0, 0.1, 0.5, 0.9, 1.0]
# The densities of a layer over a training, the last is kept.
layer = st.tuples(st.sampled_from(sorted(LAYERS)),
                  st.lists(st.sampled_from(DENSITIES), min_size=1, max_size=6))


def build(kind, model):
    """Every parameter in a group of its own, with its own learning rate and decay."""
    optimizer = OPTIMIZERS[kind]([dict(params=[p]) for p in model.values()])
    for i, group in enumerate(optimizer.param_groups):
        group['lr'] *= 1 + 0.5 * i
        group['weight_decay'] += 0.02 * i
    return optimizer


def masks_at(drawn, step, model):
    generator = torch.Generator().manual_seed(step)
    return {str(i): torch.rand(model[str(i)].shape, generator=generator)
            < densities[min(step, len(densities) - 1)]
            for i, (_, densities) in enumerate(drawn)}


def backward(models, step, part, missing):
    for model in models:
        generator = torch.Generator().manual_seed(1000 * step + part)
        for name, param in model.items():
            noise = torch.randn(param.shape, generator=generator).to(param.dtype)
            if (step, int(name)) not in missing:
                (param * noise).sum().backward()


def rebind_by_hand(twin, reference, old, new):
    apply(new, twin)
    for name, keep in new.items():
        kept = keep & old[name]
        for key, value in reference.state.get(twin[name], {}).items():
            if torch.is_tensor(value) and value.dim():
                value.masked_fill_(~kept, 0.3 if key == 'sum' else 0)


def step_by_hand(twin, reference, mask):
    for name, keep in mask.items():
        if not keep.any():      # such a layer takes no steps
            twin[name].grad = None
        elif twin[name].grad is not None:
            twin[name].grad[~keep] = 0
    reference.step()
    apply(mask, twin)


@pytest.mark.parametrize('kind', OPTIMIZERS)
@settings(deadline=None, max_examples=25)
@given(drawn=st.lists(layer, min_size=1, max_size=4), seed=st.integers(0, 99),
       missing=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=5),
       accumulated=st.integers(1, 2), dense_steps=st.integers(0, 1))
@example(drawn=[('matrix', [1.0, 0.5, 1.0, 0.5, 1.0]), ('channels last', [0.5, 0.0, 0.5, 1.0])],
         seed=0, missing=set(), accumulated=2, dense_steps=1)
def test_equals_an_optimizer_masked_by_hand(kind, drawn, seed, missing, accumulated, dense_steps):
    """Any masks after one another; layers become dense, empty, and sparse again."""
    limit, spans.GROUP['cpu'] = spans.GROUP['cpu'], 200     # so that small layers fill several
    try:
        torch.manual_seed(seed)
        model = nn.ParameterDict(
            {str(i): nn.Parameter(LAYERS[name]()) for i, (name, _) in enumerate(drawn)})
        twin = copy.deepcopy(model)
        optimizer, reference = build(kind, model), build(kind, twin)
        options = [{k: v for k, v in g.items() if k != 'params'} for g in optimizer.param_groups]
        for step in range(dense_steps):
            backward([model, twin], step, 0, missing)
            optimizer.step(), reference.step()
            optimizer.zero_grad(), reference.zero_grad()
        mask = masks_at(drawn, 0, model)
        rebind_by_hand(twin, reference, mask, mask)
        binding = MaskBinding(optimizer, model, mask)
        binding.scatter()
        for step in range(dense_steps, 6):
            for part in range(accumulated):
                backward([model, twin], step, part, missing)
            for name, gradient in binding.gradients().items():
                expected = twin[name].grad
                assert (gradient is None) == (expected is None)
                assert gradient is None or torch.equal(gradient, expected)
            old, mask = mask, masks_at(drawn, step, model)
            binding.rebind(mask)
            rebind_by_hand(twin, reference, old, mask)
            assert digest(binding.mask) == digest(mask)
            assert binding.names() == list(model)
            binding.gather(), optimizer.step(), binding.scatter(), binding.zero_grad()
            optimizer.zero_grad()
            step_by_hand(twin, reference, mask)
            reference.zero_grad()
            for name in mask:
                torch.testing.assert_close(model[name], twin[name])
                assert not model[name][~mask[name]].any()
            check_state(optimizer, reference, model, twin, mask)
        assert options == [
            {k: v for k, v in g.items() if k != 'params'} for g in optimizer.param_groups]
    finally:
        spans.GROUP['cpu'] = limit


def check_state(optimizer, reference, model, twin, mask):
    held = [p for g in optimizer.param_groups for p in g['params']]
    assert set(optimizer.state) <= set(held)
    for tensor, (name, param) in zip(held, model.items()):
        assert (tensor is param) == bool(mask[name].all())
        theirs = reference.state.get(twin[name], {})
        for key, value in optimizer.state.get(tensor, {}).items():
            if not torch.is_tensor(value) or value.dim() == 0:
                assert value == theirs[key], (name, key)
            elif tensor is param:
                assert value.stride() == theirs[key].stride()
                torch.testing.assert_close(value, theirs[key])
            else:
                torch.testing.assert_close(value, theirs[key][mask[name]])


def trained(kind='SGD', density=0.5):
    torch.manual_seed(0)
    model = nn.ParameterDict({'0': nn.Parameter(torch.randn(6, 5)),
                              '1': nn.Parameter(torch.randn(4, 3))})
    optimizer = OPTIMIZERS[kind](model.values())
    mask = {name: torch.rand(p.shape) < density for name, p in model.items()}
    return model, optimizer, mask, MaskBinding(optimizer, model, mask)


def test_other_names_or_shapes_are_refused_and_change_nothing():
    model, _, mask, binding = trained()
    for other, words in [
            (dict(mask, extra=torch.ones(1).bool()), "2 parameters, got 'extra'"),
            ({'0': mask['0']}, "2 parameters, got '1'"),
            (dict(mask, **{'1': mask['1'].t()}), r'the new mask: the mask of 1 has shape \(3, 4\)'
             )]:
        with pytest.raises(UserError, match=words):
            binding.rebind(other)
        assert digest(binding.mask) == digest(mask)


def test_rprop_cannot_grow_weights():
    model = nn.ParameterDict({'0': nn.Parameter(torch.randn(6, 5))})
    mask = {'0': torch.rand(6, 5) < 0.5}
    binding = MaskBinding(torch.optim.Rprop(model.values()), model, mask)
    with pytest.raises(UserError, match='Rprop keeps a step size for every weight'):
        binding.rebind({'0': ~mask['0']})
    fewer = mask['0'] & (torch.rand(6, 5) < 0.5)
    binding.rebind({'0': fewer})
    assert torch.equal(binding.mask['0'], fewer)


def test_what_is_dropped_and_grown_again_in_one_update_keeps_its_state():
    """Only the masks before and after decide."""
    model, optimizer, mask, binding = trained('Adam')
    backward([model], 0, 0, ())
    binding.gather(), optimizer.step(), binding.scatter(), binding.zero_grad()
    before = copy.deepcopy(optimizer.state_dict()['state'])
    binding.rebind({name: keep.clone() for name, keep in mask.items()})
    after = optimizer.state_dict()['state']
    assert all(torch.equal(before[i][key], after[i][key]) for i in before for key in before[i])


def test_a_masked_parameter_that_the_optimizer_does_not_hold():
    """Frozen layers are left out of some optimizers; their zeros follow the masks all the same."""
    torch.manual_seed(0)
    model = nn.ParameterDict({str(i): nn.Parameter(torch.randn(4, 3)) for i in range(2)})
    mask = {name: torch.rand(4, 3) < 0.5 for name in model}
    binding = MaskBinding(torch.optim.SGD([model['0']], lr=0.1), model, mask)
    other = {name: ~keep for name, keep in mask.items()}
    binding.rebind(other)
    assert digest(binding.mask) == digest(other)
    assert not model['1'].any()


def test_gradients_that_were_given_up_are_none_and_not_taken_for_new_ones():
    model, optimizer, mask, binding = trained()
    backward([model], 0, 0, ())
    binding.gather(), optimizer.step(), binding.scatter()     # and nobody clears the gradients
    assert set(binding.gradients().values()) == {None}
    binding.rebind({name: ~keep for name, keep in mask.items()})
    before = {name: p.detach().clone() for name, p in model.items()}
    binding.gather(), optimizer.step(), binding.scatter()
    assert all(torch.equal(model[name], before[name]) for name in model)


def test_hooks_at_the_parameters_do_not_pile_up():
    model, _, mask, binding = trained()
    for _ in range(5):
        binding.rebind({name: ~keep for name, keep in binding.mask.items()})
    assert all(len(p._backward_hooks) == 1 for p in model.values())
    binding.rebind({name: torch.ones_like(keep) for name, keep in mask.items()})
    assert not any(p._backward_hooks for p in model.values())
