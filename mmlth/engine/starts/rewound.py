"""Weights rewinding (Frankle & Carbin 2019; Frankle et al. 2019)."""
from mmlth.registry import STARTS

from .start import Start


@STARTS.register_module('weights')
class Rewound(Start):
    """The weights of the rewind point, and the schedule from the start or from there."""
    label = ''
