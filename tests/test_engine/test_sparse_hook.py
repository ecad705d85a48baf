"""The hook that makes a test sparse, on a machine whose models are elsewhere than on the CPU."""
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS
from mmengine.runner import Runner
from toy import ToyModel, toy_config

from mmlth.sparse import ops

pytestmark = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))


@MODELS.register_module(force=True)
class MetaModel(ToyModel):
    """The meta device stands for a GPU: its weights come back with ``cpu()``."""

    def cpu(self):
        self.load_state_dict(self.kept, assign=True)
        return super().cpu()


@HOOKS.register_module(force=True)
class ElsewhereHook(Hook):
    """As a Runner moves a model to the GPU."""
    priority = 'VERY_HIGH'

    def before_test(self, runner):
        runner.model.kept = {name: value.clone()
                             for name, value in runner.model.state_dict().items()}
        runner.model.to('meta')


@pytest.mark.skipif(not hasattr(torch, 'export'), reason='assign is new in PyTorch 2.1')
def test_a_model_elsewhere_is_moved_to_the_cpu(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.update(test_dataloader=cfg.val_dataloader, test_cfg=dict(type='TestLoop'),
               test_evaluator=cfg.val_evaluator, model=dict(type='MetaModel'))
    cfg.custom_hooks = [dict(type='ElsewhereHook'), dict(type='mmlth.SparseHook')]
    runner = Runner.from_cfg(cfg)
    assert 0 <= runner.test()['toy/AP'] <= 100
    assert {p.device.type for p in runner.model.parameters()} == {'cpu'}
