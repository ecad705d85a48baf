"""Evaluate a ticket with its surviving weights alone."""
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmlth.core.errors import UserError
from mmlth.registry import HOOKS
from mmlth.sparse import sparsify


@HOOKS.register_module()
class SparseHook(Hook):
    """Before a test, :func:`mmlth.sparse.sparsify` the model on the first batch.

    In one process, on the CPU: from a GPU the model is moved there. Note: it cannot be trained or
    saved afterwards.
    """

    def before_test(self, runner: Runner) -> None:
        if is_model_wrapper(runner.model):
            raise UserError('SparseHook tests in one process, got a distributed test; use '
                            '--launcher none')
        runner.model.eval().cpu()
        batch = next(iter(runner.test_dataloader))
        print_log(sparsify(runner.model, batch).to_text(), 'current')
