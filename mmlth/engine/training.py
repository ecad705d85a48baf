"""A training as a method sees it: data, no Runner and no hook."""
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Optional

from mmengine.dist import get_rank
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import nn

from mmlth.core import Probe, Ticket
from mmlth.core.mask import Mask

from .costs import costs_in_training
from .probe import make_probe
from .runners import bare_model


@dataclass(frozen=True)
class Training:
    """What a method may look at, the same on every rank.

    Args:
        model: The bare model, its weights as they are now.
        folder: The training's work dir.
        iteration: How many iterations are finished.
        seed: Of what a method draws at random: other numbers in every round, the same ones when
            a round is repeated.
        logger: For warnings.
        mask: That the weights are trained under, on their device. None: nothing is pruned.
        probe: Makes the model's losses and outputs of that many batches. On every rank.
        costs: Counts the multiply-adds of one entry of each weight, or has them as the ticket in
            training notes them: all rounds are measured alike. On every rank.
    """
    model: nn.Module
    folder: Path
    iteration: int
    seed: int
    logger: MMLogger
    mask: Optional[Mask]
    probe: Callable[[int], Probe]
    costs: Callable[[], Dict[str, float]]

    @classmethod
    def of(cls, runner: Runner, round: int = 0) -> 'Training':
        """The Runner's training as it stands.

        Args:
            runner: Its Runner.
            round: The round that it is. Default: 0.
        """
        model, ticket = bare_model(runner.model), trained_ticket(runner)
        device = next(model.parameters()).device
        # Ranks may have seeds of their own: randomness=dict(diff_rank_seed=True).
        own = get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0
        seed = (runner.seed or 0) - own + round
        noted = ticket.meta.get('costs') if ticket else None
        return cls(
            model=model, folder=Path(runner.work_dir), iteration=runner.iter, seed=seed,
            logger=runner.logger,
            mask={n: keep.to(device) for n, keep in ticket.mask.items()} if ticket else None,
            probe=partial(make_probe, runner, seed=seed),
            costs=lambda: noted or costs_in_training(runner))


def trained_ticket(runner: Runner) -> Optional[Ticket]:
    """What a hook of the training trains, if one trains a ticket."""
    for hook in runner.hooks:
        ticket = getattr(hook, 'ticket', None)
        if isinstance(ticket, Ticket):
            return ticket
    return None
