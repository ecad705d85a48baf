"""Evaluate a ticket with its surviving weights alone."""
import copy

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmlth.core.errors import UserError
from mmlth.registry import HOOKS
from mmlth.sparse import sparsify


@HOOKS.register_module()
class SparseHook(Hook):
    """Before a test, give the runner a copy of its model that :func:`mmlth.sparse.sparsify` has
    seen, on the first batch.

    In one process, on the CPU: from a GPU the model is moved there. The copy is made after all
    other hooks, for an EMAHook exchanges weights before a test, and again after it: both with the
    model as it was. Note: the runner's model cannot be trained or saved afterwards.
    """
    priority = 'LOWEST'

    def before_test(self, runner: Runner) -> None:
        if is_model_wrapper(runner.model):
            raise UserError('SparseHook tests in one process, got a distributed test; use '
                            '--launcher none')
        runner.model.eval().cpu()

    def before_test_epoch(self, runner: Runner) -> None:
        runner.model = copy.deepcopy(runner.model)
        batch = next(iter(runner.test_dataloader))
        print_log(sparsify(runner.model, batch).to_text(), 'current')
