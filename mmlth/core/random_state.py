"""The random state of a process: what a checkpoint needs so that a resumed run repeats."""
import random
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Tuple, cast

import numpy as np
import torch


def random_state() -> Dict[str, Any]:
    """The state of Python's, numpy's and torch's global generators.

    Returns:
        dict: Tensors and plain values only, so that ``torch.load(weights_only=True)``
        reads it: ``python``, ``numpy``, ``torch`` and ``cuda`` (one tensor per device).
    """
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = cast(
        Tuple[str, np.ndarray, int, int, float], np.random.get_state())     # or a dict, if asked
    return dict(
        python=[version, list(numbers), gauss],
        numpy=[name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [])


def set_random_state(state: Dict[str, Any]) -> None:
    """Put a :func:`random_state` back. The tensors may lie on any device.

    Of more GPUs than are visible now, the first ones' states are put back.
    """
    version, numbers, gauss = state['python']
    random.setstate((version, tuple(numbers), gauss))
    name, keys, position, has_gauss, cached = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] and torch.cuda.is_available():
        for device, saved in zip(range(torch.cuda.device_count()), state['cuda']):
            torch.cuda.set_rng_state(saved.cpu(), device)


def noise_seed(seed: int, noise: int) -> int:
    """The seed of one of the SGD noises (order of data, augmentation, dropout) of a training.

    Mixed, so that no noise of one seed is that of another seed.

    Args:
        seed: Of the training, not negative.
        noise: Which one, not negative.

    Returns:
        int: Of 31 bits: each worker of a loader adds its number, and numpy takes 32.
    """
    return int(np.random.SeedSequence([seed, noise]).generate_state(1)[0]) >> 1


@contextmanager
def kept_random_state(seed: Optional[int] = None) -> Iterator[None]:
    """Whatever draws random numbers inside, the ones after it are as without it.

    Args:
        seed: Seed all generators with it inside. Default: None, go on from the state.
    """
    before = random_state()
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
        yield
    finally:
        set_random_state(before)
