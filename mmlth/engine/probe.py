"""Losses and outputs on real batches, for the scores that look at more than the weights."""
import copy
from typing import Any, Iterator, List, Sequence

import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from mmlth.core.errors import UserError
from mmlth.core.probe import Probe
from mmlth.core.random_state import kept_random_state

from .hooks.ticket_hook import bare_model


def make_probe(runner, batches: int, seed: int) -> Probe:
    """The probe of a training that is about to begin, or has ended.

    The training is left as it was: samples are drawn from its data set with a random
    state of their own.

    Args:
        runner: Whose model and train data set are used.
        batches: How many batches, of the train loader's size.
        seed: Chooses the samples, and the noise of augmentations and losses.
    """
    model, loaded = bare_model(runner.model), []

    def load() -> List[Any]:
        if not loaded:      # data-free scores need none
            loaded.extend(load_batches(runner.train_dataloader, batches, seed))
        return copy.deepcopy(loaded)    # preprocessing changes boxes and masks in place

    return Probe(model=model, seed=seed,
                 losses=lambda: _losses(model, load(), seed),
                 outputs=lambda replica: _outputs(replica, model, load()[0], seed))


def load_batches(loader, count: int, seed: int) -> List[Any]:
    """``count`` batches of random samples of the loader's data set."""
    size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 1)
    dataset, collate = loader.dataset, loader.collate_fn or pseudo_collate
    with kept_random_state(seed):
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))
        # The training's own iterator would lose its place, and with it the data order.
        order = order.repeat(-(-count * size // len(order)))[:count * size].tolist()
        return [collate([dataset[i] for i in order[k:k + size]])
                for k in range(0, count * size, size)]


def _losses(model: nn.Module, batches: Sequence[Any], seed: int) -> Iterator[Tensor]:
    """The training loss of each batch; every call draws the same random numbers."""
    model.train()
    with kept_random_state(seed):
        for data in batches:
            data = model.data_preprocessor(data, True)
            loss, _ = model.parse_losses(model._run_forward(data, mode='loss'))
            yield loss


def _outputs(replica: nn.Module, model: nn.Module, data, seed: int) -> List[Tensor]:
    """What a copy of the model answers to an image of ones, as tensors that carry gradient."""
    with kept_random_state(seed):
        data = model.data_preprocessor(data, True)
        dtype = next(replica.parameters()).dtype
        ones = [torch.ones_like(t, dtype=dtype) for t in tensors_of(data['inputs'])]
        data['inputs'] = ones[0] if isinstance(data['inputs'], Tensor) else ones
        try:
            found = replica._run_forward(data, mode='tensor')
        except Exception as error:
            raise UserError(
                f"{type(model).__name__} does not run with mode='tensor' ({type(error).__name__}: "
                f'{error}), as this score needs it; take another score') from error
    return [t for t in tensors_of(found) if t.is_floating_point() and t.requires_grad]


def tensors_of(value) -> List[Tensor]:
    """All tensors in nested lists, tuples, dicts and objects of data."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for item in value for t in tensors_of(item)]
    if hasattr(value, 'items'):     # also mmengine's InstanceData
        return [t for _, item in value.items() for t in tensors_of(item)]
    return []
