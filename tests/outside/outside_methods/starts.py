"""A start."""
from mmlth.engine.starts import Start
from mmlth.registry import STARTS


@STARTS.register_module()
class Midway(Start):
    """Between the rewind point and the trained weights."""
    words = 'weights between the trained ones and those of'
    label = 'midway'

    def __init__(self, share=0.5):
        self.share = share

    def weights(self, point, trained, mask):
        return {name: tensor.lerp(trained[name].to(tensor), self.share)
                if tensor.is_floating_point() else tensor for name, tensor in point.items()}
