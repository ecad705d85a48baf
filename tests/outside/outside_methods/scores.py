"""Two scores: one is registered, one is named by its path."""
from mmlth.core import Scores, mean_gradient, score
from mmlth.registry import SCORES


@SCORES.register_module()
@score(probed=True)
def fisher(weights, probe):
    """The squared gradient of the mean loss."""
    gradient = mean_gradient(weights, probe)
    return Scores({name: g.square() for name, g in gradient.items()}, copied=True)


def powered(weights, probe=None, power=2):
    """A power of the magnitude."""
    return Scores({name: weight.detach().abs() ** power for name, weight in weights.items()})
