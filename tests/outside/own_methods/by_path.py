"""Methods that nobody has registered: a config names them by their paths."""
from dataclasses import replace

from mmlth.core import Scores, allocation, control_mask, keep_highest, mean_gradient, score
from mmlth.engine.starts import Start
from mmlth.engine.updates import MaskUpdate


@score(probed=True)
def fisher(weights, probe):
    """The squared gradient of the mean loss."""
    gradient = mean_gradient(weights, probe)
    return Scores({name: g.square() for name, g in gradient.items()}, copied=True)


def powered(weights, probe=None, power=2):
    """A power of the magnitude."""
    return Scores({name: weight.detach().abs() ** power for name, weight in weights.items()})


@allocation(exact='layer')
def evenly(scores, sparsity, floor):
    """The same sparsity in each layer, and no floor."""
    masks = {}
    for name, tensor in scores.tensors.items():
        own = replace(scores, tensors={name: tensor})
        masks.update(keep_highest(own, round(sparsity * tensor.numel())))
    return masks


class Midway(Start):
    """Between the rewind point and the trained weights."""

    def __init__(self, share=0.5):
        self.share = share

    def weights(self, point, trained, mask):
        return {name: tensor.lerp(trained[name].to(tensor), self.share)
                if tensor.is_floating_point() else tensor for name, tensor in point.items()}


class Wander(MaskUpdate):
    """Each layer's survivors move to random places."""
    grows = True

    def mask(self, moment):
        return control_mask(moment.mask, 'random_mask', moment.seed + moment.iteration)
