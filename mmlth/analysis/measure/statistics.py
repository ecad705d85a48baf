"""Batch norm's statistics of weights that were never trained, from training batches."""
import math
from typing import Any, Iterator, List, Sized, cast

import torch
from mmengine.dataset import pseudo_collate
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from mmlth.core.random_state import kept_random_state
from mmlth.engine.batches import batch_size_of, random_batches


class TrainingBatches:
    """The same training batches, augmented the same way, each time they are asked for.

    Args:
        loader: Of the training; its data set, batch size and collation are taken.
        images: How many, at least one batch and at most the data set once.
        seed: Chooses the images and augments them.
    """

    def __init__(self, loader: DataLoader, images: int, seed: int):
        self._dataset, self._collate = loader.dataset, loader.collate_fn or pseudo_collate
        self.size: int = batch_size_of(loader)
        # PyTorch's hints of data sets know no length: not all have one.
        total = len(cast(Sized, self._dataset))
        self.count = max(1, min(math.ceil(images / self.size), total // self.size))
        self.seed = seed
        self._order = random_batches(loader, self.count, self.size, seed)

    def __iter__(self) -> Iterator[Any]:
        """One at a time: all of them may take gigabytes."""
        for number, indices in enumerate(self._order):
            with kept_random_state(self.seed + number):
                batch = self._collate([self._dataset[i] for i in indices])
            yield batch

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(map(len, self._order))


def estimate(model: nn.Module, batches: TrainingBatches) -> float:
    """Set batch norm's running statistics to the mean over the batches, in place.

    As SWA does (Izmailov et al. 2018, section 3.2). Layers that a training leaves in eval mode, and
    norms without statistics, keep what they have.

    Args:
        model: Bare, on its device; it is left in eval mode.
        batches: What it is shown.

    Returns:
        float: The mean training loss of the batches, with the statistics of each batch itself.
    """
    model.train()
    norms = [m for m in model.modules()
             if isinstance(m, _BatchNorm) and m.training and m.running_mean is not None]
    momenta, losses = [norm.momentum for norm in norms], []
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None        # the mean of all batches
    try:
        with torch.no_grad():
            losses = _losses(model, batches)
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        model.eval()
    return sum(losses) / len(losses)


def _losses(model: Any, batches: TrainingBatches) -> List[float]:
    found = []
    for number, batch in enumerate(batches):
        with kept_random_state(batches.seed + number):      # dropout and sampled boxes
            data = model.data_preprocessor(batch, True)
            loss, _ = model.parse_losses(model._run_forward(data, mode='loss'))
        found.append(float(loss))
    return found
