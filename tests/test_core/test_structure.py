"""Dead filters and inputs, by hand."""
import torch

from mmlth.core import Layer
from mmlth.core.structure import dead_structure


def test_dead_structure_by_hand():
    conv = torch.ones(4, 3, 3, 3, dtype=torch.bool)
    conv[1] = False                 # a filter
    conv[:, 2] = False              # an input
    conv[0, 0, 1, 1] = False        # of no consequence
    up = torch.ones(5, 2, 2, 2, dtype=torch.bool)
    up[3], up[4], up[:, 1] = False, False, False
    mask = dict(conv=conv, up=up, scale=torch.zeros(7, dtype=torch.bool))
    assert dead_structure(mask, {'up': Layer(transposed=True)}) == dict(
        filters=4 + 2, dead_filters=1 + 1, inputs=3 + 5, dead_inputs=1 + 2)
    assert dead_structure({}) == dict(filters=0, dead_filters=0, inputs=0, dead_inputs=0)


def test_an_emptied_layer_is_dead_altogether():
    assert dead_structure(dict(a=torch.zeros(2, 3, dtype=torch.bool))) == dict(
        filters=2, dead_filters=2, inputs=3, dead_inputs=3)
