"""Mask the weights once more at the end of a ticket's training."""
from typing import Dict

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlth.core import mask as masks

from ..runners import all_masked


class LastMaskHook(Hook):
    """Mask what other hooks have set at the end of a ticket's training; a TicketHook adds it.

    Every step masks the weights. What a hook sets after the last one (the mean of the weights of
    many iterations, some under other masks; a checkpoint that it loads) nothing else would.

    Note:
        Priority 80, behind LOW: hooks that set weights come first, and the next ticket is drawn,
        and the training validated, of what is left.
    """
    priority = 80

    def after_train(self, runner: Runner) -> None:
        """Set pruned weights to 0, and warn if any was not."""
        revived: Dict[str, int] = {}
        for whole, params in all_masked(runner, runner.optim_wrapper.mask):
            for name, keep in whole.items():
                count = int(params[name].detach()[~keep.to(params[name].device)].count_nonzero())
                revived[name] = max(count, revived.get(name, 0))
            masks.apply(whole, params)
        names = [name for name, count in revived.items() if count]
        if names:
            runner.logger.warning(
                f'A hook has set weights after the last step: {sum(revived.values()):,} pruned '
                f'ones of {len(names)} parameter(s), the first is {names[0]}, were not 0. They are '
                '0 again, and the network is not quite what that hook has made. Is it an average '
                'of weights that were pruned on the way?')
