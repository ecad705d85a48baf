"""A start: the weights of the rewind point, in scope with the other sign."""
from mmlth.engine.starts import Start
from mmlth.registry import STARTS


@STARTS.register_module('mirrored')
class Mirrored(Start):
    """Do tickets need the signs of their weights?"""
    words = 'the negative of the weights of'
    label = 'mirrored'

    def weights(self, point, trained, mask):
        return {name: -tensor if name in mask else tensor for name, tensor in point.items()}
