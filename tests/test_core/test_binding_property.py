"""Any masks and layers, against an optimizer of which weights and gradients are masked by hand."""
import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmlth.core import MaskBinding
from mmlth.core import survivors as spans
from mmlth.core.mask import apply

OPTIMIZERS = {
    'SGD': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05),
    'Adam': lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.05),
    'AdamW': lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.5),
    'RMSprop': lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    'Adagrad': lambda p: torch.optim.Adagrad(p, lr=0.05, weight_decay=0.05)}
LAYERS = {
    'one': lambda: torch.randn(1, 1),
    'vector': lambda: torch.randn(7),
    'matrix': lambda: torch.randn(6, 5),
    'transposed': lambda: torch.randn(6, 5).t(),
    'strided': lambda: torch.randn(6, 10)[:, ::2],
    'channels last': lambda: torch.randn(4, 3, 3, 3).contiguous(
        memory_format=torch.channels_last),
    'bfloat16': lambda: torch.randn(5, 4).bfloat16(),
    'larger than a group': lambda: torch.randn(30, 20)}
layer = st.tuples(st.sampled_from(list(LAYERS)), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))


def make(drawn, seed):
    torch.manual_seed(seed)
    model = nn.ParameterDict({str(i): nn.Parameter(LAYERS[kind]())
                              for i, (kind, _) in enumerate(drawn)})
    mask = {str(i): torch.rand(model[str(i)].shape) < density
            for i, (_, density) in enumerate(drawn)}
    return model, mask


def set_gradients(models, step, missing):
    for model in models:
        generator = torch.Generator().manual_seed(step)
        for name, param in model.items():
            noise = torch.randn(param.shape, generator=generator).to(param.dtype)
            absent = (step, int(name)) in missing
            param.grad = None if absent else torch.empty_like(param).copy_(noise)


@pytest.mark.parametrize('kind', OPTIMIZERS)
@settings(deadline=None, max_examples=40)
@given(drawn=st.lists(layer, min_size=1, max_size=5), seed=st.integers(0, 99),
       missing=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=6),
       dense_steps=st.integers(0, 2))
def test_equals_an_optimizer_masked_by_hand(kind, drawn, seed, missing, dense_steps):
    """With a dense training's state or none, and gradients that are there at times."""
    limit, spans.GROUP['cpu'] = spans.GROUP['cpu'], 200     # so that small layers fill several
    try:
        model, mask = make(drawn, seed)
        twin = copy.deepcopy(model)
        optimizer, reference = (OPTIMIZERS[kind](m.values()) for m in (model, twin))
        for step in range(dense_steps):
            set_gradients([model, twin], step, missing)
            optimizer.step(), reference.step()
        apply(mask, twin)
        for name, keep in mask.items():
            apply({key: keep for key, value in reference.state.get(twin[name], {}).items()
                   if torch.is_tensor(value) and value.dim()}, reference.state.get(twin[name], {}))
        binding = MaskBinding(optimizer, model, mask)
        binding.scatter()
        assert list(binding.mask) == list(mask)
        assert all(torch.equal(binding.mask[name], keep) for name, keep in mask.items())
        for step in range(dense_steps, 5):
            set_gradients([model, twin], step, missing)
            binding.gather()
            optimizer.step()
            binding.scatter()
            binding.zero_grad()
            for name, keep in mask.items():
                if twin[name].grad is not None:
                    twin[name].grad[~keep] = 0
            reference.step()
            apply(mask, twin)
            for name in mask:
                assert not model[name].isnan().any() and not model[name][~mask[name]].any()
                torch.testing.assert_close(model[name], twin[name])
    finally:
        spans.GROUP['cpu'] = limit


def test_a_layer_of_which_nothing_is_pruned_is_the_optimizers_own():
    """Its state has its shape; 1-D state, as older versions have kept it, still resumes."""
    model, mask = make([('matrix', 1.0), ('matrix', 0.5), ('channels last', 1.0)], 0)
    mask['0'][:], mask['2'][:] = True, True
    optimizer = OPTIMIZERS['SGD'](model.values())
    binding = MaskBinding(optimizer, model, mask)
    held = optimizer.param_groups[0]['params']
    assert held[0] is model['0'] and held[2] is model['2'] and held[1] is not model['1']
    set_gradients([model], 0, ())
    binding.gather(), optimizer.step(), binding.scatter()
    assert optimizer.state[model['0']]['momentum_buffer'].shape == (6, 5)

    buffers = [s['momentum_buffer'] for s in optimizer.state.values()]
    old = optimizer.state_dict()
    for state in old['state'].values():
        state['momentum_buffer'] = state['momentum_buffer'].reshape(-1).clone()
    again = copy.deepcopy(model)
    resumed = OPTIMIZERS['SGD'](again.values())
    resumed.load_state_dict(old)
    MaskBinding(resumed, again, mask)
    for expected, state in zip(buffers, (resumed.state[p] for p in
                                         resumed.param_groups[0]['params'])):
        assert torch.equal(expected, state['momentum_buffer'])
        assert expected.stride() == state['momentum_buffer'].stride()


def test_gradients_that_were_given_up_read_as_nan_and_take_no_memory():
    model, mask = make([('matrix', 0.5)], 1)
    optimizer = OPTIMIZERS['SGD'](model.values())
    binding = MaskBinding(optimizer, model, mask)
    set_gradients([model], 0, ())
    binding.gather()
    gradient = model['0'].grad
    assert gradient.isnan().all() and gradient.untyped_storage().nbytes() == 4
    binding.scatter()
    assert optimizer.param_groups[0]['params'][0].isnan().all()
    with pytest.raises(RuntimeError):       # a second backward that was not told to begin anew
        gradient += 1
    binding.zero_grad(set_to_none=False)
    assert model['0'].grad.shape == (6, 5) and not model['0'].grad.any()


def test_few_calls_for_many_small_layers():
    """One group costs as many kernels as one layer, but for the copies back."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            views = ('view', 'detach', 'alias', 'as_strided', 'expand', 'split', 'slice')
            self.calls += not any(word in str(func) for word in views)
            return func(*args, **(kwargs or {}))

    model, mask = make([('matrix', 0.5)] * 40, 2)
    binding = MaskBinding(OPTIMIZERS['SGD'](model.values()), model, mask)
    set_gradients([model], 0, ())
    with Count() as count:
        binding.gather()
        binding.scatter()
    assert count.calls < 20


@pytest.mark.parametrize('unused', [False, True])
def test_the_models_own_zero_grad_begins_anew(unused):
    """``model.zero_grad(set_to_none=False)`` writes to the placeholder; nothing tells but that."""
    model, mask = make([('matrix', 0.5), ('one', 0.0)], 3)
    twin = copy.deepcopy(model)
    apply(mask, twin)
    optimizer, reference = (OPTIMIZERS['SGD'](m.values()) for m in (model, twin))
    binding = MaskBinding(optimizer, model, mask)
    for step in range(4):
        for net in (model, twin):
            net.zero_grad(set_to_none=False)
            if step == 0 or not unused:
                (net['0'] ** 2).sum().backward()
        binding.gather(), optimizer.step(), binding.scatter()
        if twin['0'].grad is not None:
            twin['0'].grad[~mask['0']] = 0
        reference.step()
        apply(mask, twin)
        torch.testing.assert_close(model['0'], twin['0'])
