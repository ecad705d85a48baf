"""Layers that hooks freeze or let train again after their masks are bound."""
import copy

import pytest
import torch
from torch import nn

from mmlth.core import MaskBinding
from mmlth.core.mask import apply

# Whether each of two layers needs gradients, for every update; at first one is frozen.
TRAINED = [(False, True), (True, True), (True, True), (True, False), (False, False), (True, True)]


def clip(optimizer):
    """As mmengine's optim wrappers do it: what needs no gradients is left out."""
    params = [p for group in optimizer.param_groups for p in group['params']]
    found = [p for p in params if p.requires_grad and p.grad is not None]
    if found:
        nn.utils.clip_grad_norm_(found, 0.01)


@pytest.mark.parametrize('ways', ['none', 'zeros', 'zeros of the model', 'nothing is cleared'])
def test_layers_that_freeze_and_thaw(ways):
    """The steps are those of a dense training that is masked by hand, clipped as a whole."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    net[0].requires_grad_(False)
    twin = copy.deepcopy(net)
    mask = {name: torch.rand(p.shape) < 0.5 for name, p in net.named_parameters()}
    apply(mask, dict(twin.named_parameters()))
    optimizer, reference = (torch.optim.SGD(m.parameters(), lr=1.0, momentum=0.9)
                            for m in (net, twin))
    binding = MaskBinding(optimizer, dict(net.named_parameters()), mask)
    binding.scatter()
    for trained in TRAINED:
        images = torch.randn(4, 8)
        for model, own in ((net, optimizer), (twin, reference)):
            for layer, flag in zip(model, trained):
                layer.requires_grad_(flag)
            if ways == 'zeros of the model':
                model.zero_grad(set_to_none=False)
            elif ways != 'nothing is cleared' or any(trained):
                own.zero_grad(set_to_none=ways != 'zeros')
                if model is net:
                    binding.zero_grad(set_to_none=ways != 'zeros')
            if any(trained):
                model(images).square().sum().backward()
        binding.gather(), clip(optimizer), optimizer.step(), binding.scatter()
        for name, param in twin.named_parameters():
            if param.grad is not None:
                param.grad[~mask[name]] = 0
        clip(reference), reference.step()
        for one, other in zip(net.parameters(), twin.parameters()):
            torch.testing.assert_close(one, other)
