"""The SGD noise of the last round: that which the lottery says."""
from pathlib import Path
from typing import Any, List, Mapping

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.random_state import noise_seed

from ..chain.lottery_spec import settings_of
from ..dump import read_dump
from .training import seed_of
from .violation import Violation


def check_noise(folder: Path, lottery: Mapping[str, Any]) -> List[str]:
    """Compare the seed in each config that the round's training has dumped; a line if it has one.

    Args:
        folder: Of the last round.
        lottery: The content of its ``lottery.json``.
    """
    noise, dumps = settings_of(lottery)['noise'], sorted(folder.glob('*.py'))
    if noise is None or not dumps:
        return []
    expected = noise_seed(seed_of(lottery) or 0, noise)
    for path in dumps:
        try:
            found = read_dump(path).default_hooks.random_state.get('noise')
        except UserError as error:
            raise Violation(str(error)) from None
        except AttributeError:      # no such hook
            found = None
        if found != expected:
            raise Violation(f'{path}: the seed of its noise is {found}, that of noise {noise} in '
                            f'{paths.LOTTERY} is {expected}')
    return [f'{folder}: data order and augmentation are of noise {noise}']
