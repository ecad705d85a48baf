"""Random batches of a training's data, beside the training: its own iterator keeps its place."""
from itertools import cycle, islice
from typing import List, Sized, cast

import torch
from torch.utils.data import DataLoader


def batch_size_of(loader: DataLoader) -> int:
    """Samples of a batch, on one process."""
    return loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None) or 1


def random_batches(loader: DataLoader, count: int, size: int, seed: int) -> List[List[int]]:
    """Indices of ``count`` batches of ``size`` random samples; a small data set is begun again.

    Where the training mixes data sets in a fixed ratio, each batch does, in the same order: a
    semi-supervised detector's loss takes so many images with annotations and so many without.

    Args:
        loader: Of the training.
        count: How many batches.
        size: Of each; of a mixture the first ``size`` of its batch, at most the training's own.
        seed: Chooses the samples.
    """
    sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    # The names that the MultiSourceSamplers of MMDetection and MMPose share.
    shares: List[int] = getattr(sampler, 'num_per_source', [size])
    # PyTorch's hints of data sets know no length: not all have one.
    ends: List[int] = getattr(sampler, 'cumulative_sizes', [0, len(cast(Sized, loader.dataset))])
    generator = torch.Generator().manual_seed(seed)
    sources = [cycle((begin + torch.randperm(end - begin, generator=generator)).tolist())
               for begin, end in zip(ends, ends[1:])]
    return [[index for source, share in zip(sources, shares) for index in islice(source, share)
             ][:size] for _ in range(count)]
