"""The hook that makes a test sparse, on a machine whose models are elsewhere than on the CPU."""
import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS, METRICS, MODELS
from mmengine.runner import Runner
from toy import ToyAccuracy, ToyModel, toy_config

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


@METRICS.register_module(force=True)
class AllLogits(ToyAccuracy):
    """Fails for another model of the same decisions."""

    def process(self, data_batch, data_samples):
        self.results += [logits.double() for logits, _ in data_samples]

    def compute_metrics(self, results):
        return dict(sum=float(torch.stack(results).sum()), max=float(torch.stack(results).max()))


@MODELS.register_module(force=True)
class LogitsModel(ToyModel):
    def forward(self, inputs, labels, mode='tensor'):
        if mode != 'predict':
            return super().forward(inputs, labels, mode)
        assert self.training is False
        logits = super().forward(inputs, labels, 'tensor')
        self.folded = not any(isinstance(m, torch.nn.BatchNorm2d) for m in self.modules())
        return list(zip(logits, labels))


@HOOKS.register_module(force=True)
class MyAverage(EMAHook):
    """Of another name."""


@HOOKS.register_module(force=True)
class SeeFoldedHook(Hook):
    seen = None

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        type(self).seen = runner.model.folded


@pytest.mark.parametrize('average', [
    dict(type='EMAHook'), dict(type='EMAHook', update_buffers=True), dict(type='MyAverage')])
def test_what_is_evaluated_is_the_same_with_a_moving_average(tmp_path, average):
    custom_hooks = [dict(average, momentum=0.1)]
    train = toy_config(tmp_path, val=False, custom_hooks=custom_hooks,
                       model=dict(type='LogitsModel'))
    Runner.from_cfg(train).train()
    found = {}
    for sparse in (False, True):
        cfg = toy_config(tmp_path / 'test', model=dict(type='LogitsModel'))
        cfg.update(test_dataloader=cfg.val_dataloader, test_cfg=dict(type='TestLoop'),
                   test_evaluator=dict(type='AllLogits'),
                   load_from=str(tmp_path / 'iter_12.pth'))
        cfg.custom_hooks = [*custom_hooks, dict(type='SeeFoldedHook'),
                            *[dict(type='mmlth.SparseHook')] * sparse]
        found[sparse] = Runner.from_cfg(cfg).test()
        assert SeeFoldedHook.seen is sparse
    assert found[True] == pytest.approx(found[False], rel=1e-5)
