"""A student and the mean teacher of it, as MMDetection's SoftTeacher has them."""
import mmdet.engine.hooks  # noqa: F401
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from toy import ToyModel, lottery_config

MEAN_TEACHER = dict(type='mmdet.MeanTeacherHook', momentum=0.1)


@MODELS.register_module(force=True)
class SemiToy(BaseModel):
    """The student is trained, the teacher evaluated."""

    def __init__(self):
        super().__init__()
        self.student, self.teacher = ToyModel(), ToyModel()
        self.teacher.requires_grad_(False)

    def forward(self, inputs, labels, mode='tensor'):
        return (self.student if mode == 'loss' else self.teacher)(inputs, labels, mode)


def semi_config(work_dir, hooks=(MEAN_TEACHER,), **kwargs):
    return lottery_config(work_dir, model=dict(type='SemiToy'), latency=False,
                          custom_hooks=list(hooks), **kwargs)


@MODELS.register_module(force=True)
class TwoHeads(ToyModel):
    """One of them is never called."""

    def __init__(self):
        super().__init__()
        self.other_head = nn.Linear(8, 3)
