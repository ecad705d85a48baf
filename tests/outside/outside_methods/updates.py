"""A mask update, named by its path; analyses call it by its class."""
from mmlth.core import control_mask
from mmlth.engine.updates import MaskUpdate


class Wander(MaskUpdate):
    """Each layer's survivors move to random places."""
    words = 'weights wander'
    grows = True

    def mask(self, moment):
        return control_mask(moment.mask, 'random_mask', moment.seed + moment.iteration)
