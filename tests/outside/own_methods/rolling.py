"""A mask update: each layer's survivors move on by one place."""
from mmlth.engine.updates import MaskUpdate
from mmlth.registry import UPDATES


@UPDATES.register_module('rolling')
class Rolling(MaskUpdate):
    """Do tickets need the weights that they were drawn with?"""
    words = 'all survivors move on by one place'
    label = 'rolling'
    grows = True

    def mask(self, moment):
        return {name: keep.flatten().roll(1).view_as(keep) for name, keep in moment.mask.items()}
