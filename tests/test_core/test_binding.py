"""Training with a bound optimizer against dense training with masked gradients and weights."""
import copy
import math

import pytest
import torch
from torch import nn

from mmlth.core import MaskBinding, draw
from mmlth.core.errors import UserError
from mmlth.core.mask import apply

OPTIMIZERS = {
    'sgd': lambda p: torch.optim.SGD(p, lr=0.1),
    'momentum': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05),
    'nesterov': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True,
                                          weight_decay=0.05),
    'adam': lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.05),
    'amsgrad': lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, foreach=False),
    'adamw': lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.5),
    'rmsprop': lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    'adagrad': lambda p: torch.optim.Adagrad(p, lr=0.05, weight_decay=0.05),
}
STATE_TENSORS = {'sgd': 0, 'momentum': 1, 'nesterov': 1, 'adam': 2, 'amsgrad': 3, 'adamw': 2,
                 'rmsprop': 3, 'adagrad': 1}
MASKED = ('0.weight', '2.weight', '5.weight')
every_optimizer = pytest.mark.parametrize('kind', OPTIMIZERS)


def make_net(dtype=torch.float32, memory_format=torch.contiguous_format):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Conv2d(8, 6, 3, bias=False), nn.Tanh(),
                        nn.Flatten(), nn.Linear(24, 5), nn.BatchNorm1d(5))
    return net.to(dtype=dtype, memory_format=memory_format)


def make_mask(net, sparsity=0.8, allocation='global'):
    params = dict(net.named_parameters())
    return draw({n: params[n] for n in MASKED}, sparsity, allocation=allocation)


def backward(net, step):
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(8, 3, 6, 6, generator=generator).to(net[0].weight.dtype)
    nn.functional.cross_entropy(net(images), torch.arange(8) % 5).backward()


def train_bound(net, optimizer, binding, steps, schedulers=(), clip=None):
    """The order of MaskAware.step: gather, clip, step, scatter."""
    for step in steps:
        optimizer.zero_grad()
        binding.zero_grad()
        backward(net, step)
        binding.gather()
        if clip:
            nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g['params']],
                                     **clip)
        optimizer.step()
        binding.scatter()
        for scheduler in schedulers:
            scheduler.step()


def train_dense(net, optimizer, mask, steps, schedulers=(), clip=None):
    """The reference: pruned gradients and weights are zeroed around every update."""
    params = dict(net.named_parameters())
    for step in steps:
        optimizer.zero_grad()
        backward(net, step)
        apply(mask, {n: params[n].grad for n in mask})
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), **clip)
        optimizer.step()
        apply(mask, params)
        for scheduler in schedulers:
            scheduler.step()


def pair(kind, mask=None, **kwargs):
    """A net for the binding, its twin for the reference, their optimizers, the mask."""
    net = make_net(**kwargs)
    twin = copy.deepcopy(net)
    mask = make_mask(net) if mask is None else mask
    apply(mask, dict(twin.named_parameters()))
    return (net, OPTIMIZERS[kind](net.parameters()),
            twin, OPTIMIZERS[kind](twin.parameters()), mask)


def mask_dense(twin, reference, mask):
    """Zero the pruned weights and their state in the reference."""
    apply(mask, dict(twin.named_parameters()))
    for name, keep in mask.items():
        state = reference.state[twin.get_parameter(name)]
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and value.dim():
                value.masked_fill_(~keep, 0)


def bind(net, optimizer, mask):
    return MaskBinding(optimizer, dict(net.named_parameters()), mask)


def assert_pruned_are_zero(net, mask):
    params = dict(net.named_parameters())
    for name, keep in mask.items():
        assert torch.count_nonzero(params[name][~keep]) == 0, name


def assert_close(net, twin, atol=1e-6):
    for (name, a), b in zip(net.state_dict().items(), twin.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=atol, atol=atol, msg=lambda m: f'{name}: {m}')


@every_optimizer
@pytest.mark.parametrize('sparsity, allocation', [
    (0.8, 'global'), (0.99, 'layerwise'), (0.0, 'global'), (0.9999, 'layerwise')])
def test_equals_masked_dense_training(kind, sparsity, allocation):
    net, optimizer, twin, reference, mask = pair(
        kind, make_mask(make_net(), sparsity, allocation))
    binding = bind(net, optimizer, mask)
    assert_close(net, twin, atol=0)
    start = copy.deepcopy(net.state_dict())
    for step in range(6):
        train_bound(net, optimizer, binding, [step])
        train_dense(twin, reference, mask, [step])
        assert_pruned_are_zero(net, mask)
        assert_close(net, twin)
    for name, keep in mask.items():     # it did train
        assert not keep.any() or not torch.equal(start[name], net.state_dict()[name])


@every_optimizer
def test_state_is_as_large_as_the_survivors(kind):
    net, optimizer, _, _, mask = pair(kind)
    train_bound(net, optimizer, bind(net, optimizer, mask), range(2))
    params = dict(net.named_parameters())
    survivors = sum(int(mask[n].sum()) if n in mask else p.numel() for n, p in params.items())
    held = sum(p.numel() for g in optimizer.param_groups for p in g['params'])
    state = [v for s in optimizer.state.values() for v in s.values()
             if isinstance(v, torch.Tensor) and v.dim()]
    assert held == survivors < 0.5 * sum(p.numel() for p in params.values())
    assert sum(v.numel() for v in state) == STATE_TENSORS[kind] * survivors
    assert set(optimizer.state) <= {p for g in optimizer.param_groups for p in g['params']}


def test_groups_keep_their_order_and_options():
    net = make_net()
    params = dict(net.named_parameters())
    groups = [dict(params=[p], lr=0.1 / (i + 1), weight_decay=i / 10, mine=n)
              for i, (n, p) in enumerate(params.items())]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
    options = [{k: v for k, v in g.items() if k != 'params'} for g in optimizer.param_groups]
    mask = make_mask(net)
    bind(net, optimizer, mask)
    assert options == [{k: v for k, v in g.items() if k != 'params'}
                       for g in optimizer.param_groups]
    for name, group in zip(params, optimizer.param_groups):
        if name in mask:
            assert torch.equal(group['params'][0], params[name][mask[name]])
        else:
            assert group['params'][0] is params[name]


def test_schedulers_created_before_binding_still_rule():
    net, optimizer, twin, reference, mask = pair('momentum')

    def schedulers(opt):
        return [torch.optim.lr_scheduler.LinearLR(opt, 0.1, total_iters=3),
                torch.optim.lr_scheduler.StepLR(opt, 2)]

    mine, theirs = schedulers(optimizer), schedulers(reference)
    train_bound(net, optimizer, bind(net, optimizer, mask), range(6), mine)
    train_dense(twin, reference, mask, range(6), theirs)
    assert optimizer.param_groups[0]['lr'] == reference.param_groups[0]['lr'] < 0.01
    assert_close(net, twin)


def total_norm(gradients, norm_type):
    return torch.stack([gradient.norm(norm_type) for gradient in gradients]).norm(norm_type)


@pytest.mark.parametrize('norm_type', [2.0, 1.0, math.inf])
@pytest.mark.parametrize('sparsity, allocation', [(0.8, 'global'), (0.9999, 'layerwise')])
def test_clipping_sees_surviving_gradients_only(norm_type, sparsity, allocation):
    net, optimizer, twin, reference, mask = pair(
        'momentum', make_mask(make_net(), sparsity, allocation))
    binding = bind(net, optimizer, mask)
    backward(net, 0)
    for name, keep in mask.items():     # large where nobody may look
        net.get_parameter(name).grad[~keep] += 100
    binding.gather()
    seen = [p.grad for g in optimizer.param_groups for p in g['params'] if p.grad is not None]
    norm = total_norm(seen, norm_type)
    backward(twin, 0)
    apply(mask, {n: p.grad for n, p in twin.named_parameters()})
    expected = total_norm([p.grad for p in twin.parameters()], norm_type)
    torch.testing.assert_close(norm, expected)
    assert 0.05 < norm < 50

    clip = dict(max_norm=0.05, norm_type=norm_type)     # so clipping does act
    train_bound(net, optimizer, binding, range(1, 5), clip=clip)
    train_dense(twin, reference, mask, range(1, 5), clip=clip)
    assert_close(net, twin)


@every_optimizer
def test_survivors_keep_the_state_of_a_dense_training(kind):
    net, optimizer, twin, reference, _ = pair(kind, mask={})
    train_dense(net, optimizer, {}, range(3))
    train_dense(twin, reference, {}, range(3))
    mask = make_mask(net)
    binding = bind(net, optimizer, mask)
    mask_dense(twin, reference, mask)
    train_bound(net, optimizer, binding, range(3, 8))
    train_dense(twin, reference, mask, range(3, 8))
    assert_pruned_are_zero(net, mask)
    assert_close(net, twin)


@every_optimizer
def test_a_resumed_training_continues_bit_for_bit(kind, tmp_path):
    net, optimizer, _, _, mask = pair(kind)
    binding = bind(net, optimizer, mask)
    train_bound(net, optimizer, binding, range(3))
    torch.save(dict(net=net.state_dict(), optimizer=optimizer.state_dict()), tmp_path / 'x.pth')
    train_bound(net, optimizer, binding, range(3, 7))

    checkpoint = torch.load(tmp_path / 'x.pth', weights_only=True)
    torch.manual_seed(99)
    again = make_net()
    resumed = OPTIMIZERS[kind](again.parameters())
    again.load_state_dict(checkpoint['net'])
    resumed.load_state_dict(checkpoint['optimizer'])
    train_bound(again, resumed, bind(again, resumed, mask), range(3, 7))
    for a, b in zip(net.state_dict().values(), again.state_dict().values()):
        assert torch.equal(a, b)


def test_compact_state_of_another_ticket_is_refused():
    net, optimizer, _, _, mask = pair('momentum')
    train_bound(net, optimizer, bind(net, optimizer, mask), range(1))
    again = make_net()
    resumed = OPTIMIZERS['momentum'](again.parameters())
    resumed.load_state_dict(optimizer.state_dict())
    with pytest.raises(UserError, match="SGD keeps the state 'momentum_buffer' of 0.weight"):
        bind(again, resumed, make_mask(again, 0.5))


@pytest.mark.skipif(not hasattr(torch.optim, 'Adafactor'), reason='new in PyTorch 2.5')
def test_an_optimizer_without_elementwise_state_is_refused():
    net = make_net()
    optimizer = torch.optim.Adafactor(net.parameters())
    backward(net, 0)
    optimizer.step()
    with pytest.raises(UserError, match=r'Adafactor keeps the state .* of \d\.weight in shape '
                                        r".*RewindHook\(schedule='restart'\)"):
        bind(net, optimizer, make_mask(net))


@every_optimizer
def test_parameters_without_gradient_stay(kind):
    """Frozen, or unused in this iteration: weight decay and momentum must not move them."""
    net, optimizer, _, _, mask = pair(kind)
    net[0].requires_grad_(False)
    binding = bind(net, optimizer, mask)
    before = copy.deepcopy(net.state_dict())
    train_bound(net, optimizer, binding, range(2))
    assert torch.equal(net[0].weight, before['0.weight'])
    assert not torch.equal(net[2].weight, before['2.weight'])
    loaded = {n: v * 0.5 for n, v in net.state_dict().items()}
    net.load_state_dict(loaded)
    net.zero_grad()     # not the optimizer's: the last gathered gradient is still there
    net[5].weight.sum().backward()      # the convolutions are unused now
    binding.gather()
    optimizer.step()
    binding.scatter()
    assert torch.equal(net[2].weight, loaded['2.weight'])
    assert not torch.equal(net[5].weight, loaded['5.weight'])
    assert_pruned_are_zero(net, mask)


@pytest.mark.parametrize('set_to_none', [True, False])
def test_zero_grad_leaves_no_gradient_behind(set_to_none):
    net, optimizer, _, _, mask = pair('sgd')
    binding = bind(net, optimizer, mask)
    backward(net, 0)
    optimizer.zero_grad(set_to_none=set_to_none)
    binding.zero_grad(set_to_none=set_to_none)
    for param in net.parameters():
        assert param.grad is None if set_to_none else not param.grad.any()


def test_gathering_twice_is_gathering_once():
    net, optimizer, twin, reference, mask = pair('momentum')
    binding = bind(net, optimizer, mask)
    for step in range(3):       # as with gradient accumulation and skipped AMP steps
        optimizer.zero_grad()
        binding.zero_grad()
        backward(net, step)
        binding.gather()
        binding.scatter()       # a skipped update
        binding.gather()
        optimizer.step()
        binding.scatter()
    train_dense(twin, reference, mask, range(3))
    assert_close(net, twin)


@pytest.mark.parametrize('masked', [True, False])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('sparsity, allocation', [(0.8, 'global'), (0.9999, 'layerwise')])
def test_weights_loaded_meanwhile_are_trained_on(masked, memory_format, sparsity, allocation):
    """With masked weights training goes on from them; of dense ones the pruned go again."""
    net, optimizer, twin, reference, mask = pair(
        'momentum', make_mask(make_net(), sparsity, allocation), memory_format=memory_format)
    binding = bind(net, optimizer, mask)
    train_bound(net, optimizer, binding, range(2))
    train_dense(twin, reference, mask, range(2))
    loaded = {n: v * 0.5 if masked else v + 0.1 for n, v in net.state_dict().items()}
    net.load_state_dict(loaded)
    twin.load_state_dict(loaded)
    if masked:
        train_bound(net, optimizer, binding, range(2, 4))
        train_dense(twin, reference, mask, range(2, 4))
        assert_close(net, twin)
    else:       # the first gradient still sees the dense weights
        train_bound(net, optimizer, binding, [2])
        train_dense(twin, reference, mask, [2])
        assert_pruned_are_zero(net, mask)
        assert_close(net, twin)


@every_optimizer
def test_channels_last(kind):
    net, optimizer, twin, reference, _ = pair(
        kind, mask={}, memory_format=torch.channels_last)
    assert not net[0].weight.is_contiguous()
    train_dense(net, optimizer, {}, [9])        # the optimizer's state is strided as well
    train_dense(twin, reference, {}, [9])
    mask = make_mask(net)
    binding = bind(net, optimizer, mask)
    mask_dense(twin, reference, mask)
    strides = net[0].weight.stride()
    train_bound(net, optimizer, binding, range(4))
    train_dense(twin, reference, mask, range(4))
    assert net[0].weight.stride() == strides
    assert_pruned_are_zero(net, mask)
    assert_close(net, twin, atol=2e-6)


@pytest.mark.parametrize('kind', ['momentum', 'adamw'])
def test_bf16(kind):
    net, optimizer, twin, reference, mask = pair(kind, dtype=torch.bfloat16)
    binding = bind(net, optimizer, mask)
    for step in range(4):
        train_bound(net, optimizer, binding, [step])
        train_dense(twin, reference, mask, [step])
        if step == 0:       # the last bit of 8 may be rounded otherwise, and then grows
            assert_close(net, twin, atol=2**-7)
        assert_pruned_are_zero(net, mask)
    assert {p.dtype for g in optimizer.param_groups for p in g['params']} == {torch.bfloat16}


@every_optimizer
@pytest.mark.parametrize('value', [math.inf, -math.inf, math.nan])
def test_non_finite_gradients_of_pruned_weights_reach_nothing(kind, value):
    net, optimizer, twin, reference, mask = pair(kind)
    binding = bind(net, optimizer, mask)
    params = dict(net.named_parameters())
    backward(net, 0)
    for name, keep in mask.items():
        params[name].grad[~keep] = value
    binding.gather()
    held = [p for g in optimizer.param_groups for p in g['params']]
    assert nn.utils.clip_grad_norm_(held, 1e9).isfinite()
    optimizer.step()
    binding.scatter()
    train_dense(twin, reference, mask, [0])
    assert_pruned_are_zero(net, mask)
    assert_close(net, twin)
    assert all(v.isfinite().all() for s in optimizer.state.values() for v in s.values()
               if isinstance(v, torch.Tensor))


def test_pruned_weights_that_are_not_finite_become_zero():
    net = make_net()
    mask = make_mask(net)
    with torch.no_grad():
        net[0].weight[~mask['0.weight']] = math.nan
    bind(net, torch.optim.SGD(net.parameters(), lr=0.1), mask)
    assert_pruned_are_zero(net, mask)


def test_a_mask_without_a_parameter_is_an_error():
    net = make_net()
    with pytest.raises(ValueError, match=r'conv1\.weight'):
        bind(net, torch.optim.SGD(net.parameters(), lr=0.1),
             {'conv1.weight': torch.ones(2).bool()})


def test_norm_scales_can_be_masked_too():
    """1-D parameters: dense and compact state differ by length alone."""
    net = make_net()
    mask = {'6.weight': torch.tensor([True, False, True, False, False])}
    twin = copy.deepcopy(net)
    apply(mask, dict(twin.named_parameters()))
    optimizer = torch.optim.Adam(net.parameters())
    reference = torch.optim.Adam(twin.parameters())
    train_bound(net, optimizer, bind(net, optimizer, mask), range(3))
    train_dense(twin, reference, mask, range(3))
    assert_close(net, twin)


def test_names_are_those_of_the_optimizers_numbering():
    """Over all groups, masked and not; a shared parameter by its first name; None for others."""
    net, alien = make_net(), nn.Parameter(torch.ones(2))
    params = {**dict(net.named_parameters()), 'again.weight': net[2].weight}
    optimizer = torch.optim.SGD([
        dict(params=[net[5].weight, net[6].bias]), dict(params=[alien, net[2].weight]),
        dict(params=[net[0].weight])], lr=0.1, momentum=0.9)
    binding = MaskBinding(optimizer, params, make_mask(net))
    assert binding.names() == ['5.weight', '6.bias', None, '2.weight', '0.weight']
    optimizer.add_param_group(dict(params=[net[5].bias]))
    train_bound(net, optimizer, binding, [0])
    names = binding.names()
    state = optimizer.state_dict()
    assert [i for g in state['param_groups'] for i in g['params']] == list(range(len(names)))
    mask = make_mask(make_net())
    for index, values in state['state'].items():
        name, buffer = names[index], values['momentum_buffer']
        expected = int(mask[name].sum()) if name in mask else net.get_parameter(name).numel()
        assert buffer.numel() == expected, name
