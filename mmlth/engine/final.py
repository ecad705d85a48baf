"""What a finished round leaves: its metrics and ``final.pth``."""
from typing import Any, Callable, Dict, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu

from mmlth.core.files import whole_file

from .hooks.ticket_hook import bare_model, check_mask_aware, checkpoint_entry


class MetricsHook(Hook):
    """Keep the metrics of the last validation and the iteration it belongs to."""

    def __init__(self, on_checkpoint: Callable[[], None]):
        self.metrics: Dict[str, float] = {}
        self.iteration: Optional[int] = None
        self._on_checkpoint = on_checkpoint

    def before_train(self, runner) -> None:
        """Tell in round 0 what would stop round 1: a constructor may build any wrapper."""
        check_mask_aware(runner.optim_wrapper)

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics, self.iteration = dict(metrics or {}), runner.iter

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        self._on_checkpoint()


def final_metrics(runner: Runner, hook: MetricsHook) -> Dict[str, float]:
    """The metrics of the trained weights; validates if the training did not.

    Empty without a validation loop, and for a model that was not trained at all.
    """
    if runner.val_loop is None or runner.iter == 0:
        return {}
    if hook.iteration != runner.iter:
        runner.val_loop.run()
    return {name: float(value) for name, value in hook.metrics.items()
            if isinstance(value, (int, float)) or getattr(value, 'size', 0) == 1}


def save_final(runner: Runner, path, mask) -> None:
    """Write weights, plain meta and masks: what any tool can load without mmlth.

    With an EMAHook the weights are the averaged ones, those that were evaluated.
    """
    checkpoint: Dict[str, Any] = dict(
        meta=dict(iter=runner.iter, epoch=runner.epoch),
        state_dict=weights_to_cpu(bare_model(runner.model).state_dict()))
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    meta = dict(
        iter=runner.iter, epoch=runner.epoch, seed=runner.seed,
        experiment_name=runner.experiment_name, cfg=runner.cfg.pretty_text)
    dataset_meta = getattr(runner.train_dataloader.dataset, 'metainfo', None)
    if dataset_meta is not None:
        meta['dataset_meta'] = plain(dataset_meta)
    with whole_file(path) as part, open(part, 'wb') as file:
        torch.save(dict(meta=meta, state_dict=checkpoint['state_dict'],
                        mmlth=checkpoint_entry(mask)), file)


def plain(value):
    """Nested values as what ``torch.load(weights_only=True)`` reads with no help."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    if hasattr(value, 'tolist'):
        return value.tolist()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
