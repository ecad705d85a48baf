"""How many iterations a training takes for one pass over its data."""
from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop, Runner


def iterations_of_pass(runner: Runner) -> int:
    """Iterations in which all ranks together go once over the data: what ``'1ep'`` says.

    In an epoch-based training an epoch. In an iteration-based one the loader's length, which is
    that of its sampler: of one rank's share (``num_samples``, in DefaultSampler and all others that
    come to an end), or, of those that never do (InfiniteSampler, MMDetection's MultiSourceSampler
    and GroupMultiSourceSampler), of the whole data set, whatever the number of ranks.
    """
    loader, ranks = runner.train_dataloader, get_world_size()
    sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    if isinstance(runner.train_loop, EpochBasedTrainLoop) or hasattr(sampler, 'num_samples'):
        return len(loader)
    return -(-len(loader) // ranks)     # rounded up
