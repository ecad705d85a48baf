"""A score: how far a weight is from the mean of its layer."""
from mmlth.core import Scores, score
from mmlth.registry import SCORES


@SCORES.register_module()
@score()
def distance(weights, probe):
    return Scores({name: (weight - weight.mean()).abs() for name, weight in weights.items()},
                  copied=True)
