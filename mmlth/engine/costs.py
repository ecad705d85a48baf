"""The multiply-adds of a model's weights, on one real image."""
from typing import Any, Dict, Iterable, List, Mapping, Optional

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmlth.core import Ticket
from mmlth.core.errors import UserError
from mmlth.core.flops import compute_sparsity, multiply_adds
from mmlth.core.random_state import kept_random_state

from .default_scope import use_scope
from .ranks import together
from .runners import bare_model


def first_batch(loader: DataLoader) -> Any:
    """The first sample of a loader's data set, as a batch; no random number moves."""
    collate = loader.collate_fn or pseudo_collate
    with kept_random_state(0):
        return collate([loader.dataset[0]])


def first_validation_batch(cfg: Config) -> Any:
    """The first image of a config's validation data, else of its test or training data.

    Raises:
        UserError: It has none, or they cannot be read.
    """
    use_scope(cfg)
    loader = next((cfg[key] for key in ('val_dataloader', 'test_dataloader', 'train_dataloader')
                   if cfg.get(key)), None)
    if loader is None:
        raise UserError('the config has no data to take an image from')
    # How its images are read, batched and handed over takes no part in one of them.
    image = {key: loader[key] for key in ('dataset', 'collate_fn') if key in loader}
    try:
        # With a seed, a sampler asks no other rank for one: they wait for the rank that measures.
        return first_batch(Runner.build_dataloader(dict(
            image, batch_size=1, num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False, seed=0))))
    except UserError:
        raise
    except Exception as error:      # whatever a data set and its pipeline meet
        raise UserError(f"the config's data give no image: {type(error).__name__}: "
                        f'{str(error)[:300]}') from error


def count_costs(model: BaseModel, batch: Any) -> Dict[str, float]:
    """Multiply-adds of each entry of a weight, of a bare model on a batch of one image.

    Raises:
        UserError: The model does not run on it.
    """
    def run() -> None:
        model.eval()
        with kept_random_state(0):
            model.test_step(batch)
    try:
        return multiply_adds(model, run).entries
    except Exception as error:      # whatever a model or its operators meet
        raise UserError(
            f'the multiply-adds of {type(model).__name__} cannot be counted, it does not run on '
            f'one image ({type(error).__name__}: {str(error)[:200]})') from error


def costs_in_training(runner: Runner) -> Dict[str, float]:
    """Of the model as it is now, on the first validation image, else the first training image.

    The same on all ranks, which all must come here: rank 0 counts.

    Raises:
        UserError: The model does not run on it.
    """
    costs: list = [None]
    with together():
        if is_main_process():
            costs = [_costs_of(runner)]
    broadcast_object_list(costs)
    return costs[0]


def _costs_of(runner: Runner) -> Dict[str, float]:
    loop = runner.val_loop or runner.train_loop
    return count_costs(bare_model(runner.model), first_batch(loop.dataloader))


def round_compute_sparsity(runner: Runner, ticket: Optional[Ticket]) -> Optional[float]:
    """Of a finished round; None, and a warning says why, where it cannot be counted.

    Args:
        runner: That of the round. Nothing collective is done.
        ticket: Whose costs hold, where it notes them. None: nothing is pruned.
    """
    if ticket is None:
        return 0.0
    try:
        costs = ticket.meta.get('costs') or _costs_of(runner)
        return compute_sparsity(ticket.mask, costs)
    except UserError as error:
        runner.logger.warning(f'No compute sparsity: {error}')
        return None


def uncalled(costs: Mapping[str, float], names: Iterable[str]) -> List[str]:
    """Those of these weights that the image does not reach."""
    return [name for name in names if not costs[name]]
