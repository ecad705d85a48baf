"""Snapshots stay what they were; loads are strict."""
import pytest
import torch
from torch import nn

from mmlth.core import snapshot
from mmlth.core.errors import UserError
from mmlth.core.state import check_same, copied, load, trained_weights, unique


def make_net():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 4))
    net[3].weight = net[2].weight
    net.add_module('again', net[0])
    return net


def train(net, steps=3):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        net[:4](torch.randn(8, 3)).square().sum().backward()
        optimizer.step()


def test_a_snapshot_does_not_follow_the_training():
    net = make_net()
    before = {n: t.detach().clone() for n, t in net.state_dict().items()}
    taken = snapshot(net)
    train(net)
    for name, tensor in taken.items():
        assert torch.equal(tensor, before[name]), name
        assert not torch.equal(tensor, net.state_dict()[name]), name
        assert not tensor.requires_grad and tensor.device.type == 'cpu'


def test_a_snapshot_holds_everything_once():
    net = make_net()
    names = set(net.state_dict())
    assert set(snapshot(net)) == names - {'3.weight', 'again.weight', 'again.bias'}
    assert snapshot(net)['1.num_batches_tracked'].dtype == torch.int64
    assert unique(net)['0.weight'] is net[0].weight


def test_what_was_taken_can_be_put_back():
    net = make_net()
    taken, version = snapshot(net), net[0].weight._version
    train(net)
    load(net, taken, 'here')
    for name, tensor in snapshot(net).items():
        assert torch.equal(tensor, taken[name])
    assert net[3].weight is net[2].weight and net.again is net[0]
    assert net[0].weight.requires_grad and net[0].weight._version > version


def test_a_model_that_renames_its_weights_is_refused():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight       # two names of one tensor are no renaming

    def drop(module, state, prefix, meta):
        state.pop('1.bias')

    def rename(module, state, prefix, meta):
        state['timm.bias'] = state.pop('1.bias')

    assert list(unique(model)) == ['0.weight', '0.bias', '1.bias']
    model._register_state_dict_hook(drop)
    assert list(unique(model)) == ['0.weight', '0.bias']    # left out, not renamed
    model._state_dict_hooks.clear()
    model._register_state_dict_hook(rename)
    with pytest.raises(UserError, match='1.bias of the model is saved as timm.bias: a hook'):
        unique(model)


def test_nothing_is_loaded_if_not_all_fits():
    net = make_net()
    taken = snapshot(net)
    del taken['1.running_var']
    taken['0.weight'] += 1
    before = snapshot(net)
    with pytest.raises(UserError, match='1 missing: 1.running_var'):
        load(net, taken, 'here')
    assert all(torch.equal(t, before[n]) for n, t in snapshot(net).items())


def test_all_three_problems_are_named():
    one, two = torch.zeros(1), torch.zeros(2, 3)
    expected = {'a': one, 'b': one, 'c': two, 'd': one, **{f'm{i}': one for i in range(5)}}
    found = {'a': one, 'b': two, 'c': torch.zeros(3, 2), 'x': one}
    with pytest.raises(UserError) as caught:
        check_same(expected, found, 'dir/rewind.pth')
    message = str(caught.value)
    assert message.startswith('dir/rewind.pth does not fit this model: ')
    assert '6 missing: d, m0, m1, ...;' in message
    assert '1 unexpected: x;' in message
    assert ('2 of another shape: b ((2, 3) in the file, (1,) in the model), '
            'c ((3, 2) in the file, (2, 3) in the model).') in message


def test_the_same_names_and_shapes_pass():
    check_same({'a': torch.zeros(2)}, {'a': torch.ones(2).half()}, 'here')


def test_weights_of_a_checkpoint_without_ema():
    state = {'w': torch.ones(2), 'bn.running_mean': torch.zeros(1)}
    found = trained_weights({'state_dict': state, 'meta': {}})
    assert found == state and found is not state


def test_of_a_training_without_average_the_key_may_be_there():
    state = {'w': torch.ones(2)}
    assert trained_weights({'state_dict': state, 'ema_state_dict': None}) == state


def test_a_model_that_cannot_be_copied_is_told():
    model = nn.Sequential(nn.Linear(2, 2), nn.utils.weight_norm(nn.Linear(2, 2)))
    with pytest.raises(UserError, match="cannot be copied: 1 keeps 'weight'.*parametrizations"):
        copied(model)
    assert copied(model[0]).weight.tolist() == model[0].weight.tolist()


def test_with_ema_the_trained_weights_are_in_ema_state_dict():
    checkpoint = {
        'state_dict': {'w': torch.tensor(1.0), 'module.b': torch.tensor(2.0),
                       'buffer': torch.tensor(3.0)},
        'ema_state_dict': {'steps': torch.tensor(7), 'module.w': torch.tensor(10.0),
                           'module.module.b': torch.tensor(20.0)}}
    found = {n: t.item() for n, t in trained_weights(checkpoint).items()}
    assert found == {'w': 10, 'module.b': 20, 'buffer': 3}
    assert checkpoint['state_dict']['w'] == 1
