"""The files of a round are of one training: with one seed, and with one end."""
from pathlib import Path
from typing import Any, Mapping, Optional

import torch

from mmlth.core import paths

from .checkpoint import comparable, load_checkpoint, weights_of
from .sources import saved_on_the_way
from .violation import Violation


def check_seeds(folder: Path, index: int, lottery: Mapping[str, Any]) -> None:
    """The files of a finished round are of a training with the lottery's seed.

    That of a ticket without the random state of the rewind point is its round's, and of one that
    starts from new weights the next one.

    Args:
        folder: Of the round, which was trained here.
        index: Which round.
        lottery: The content of ``lottery.json``.
    """
    seed, ticket = seed_of(lottery), int(index > 0)
    for name in (paths.REWIND, paths.FINAL):
        if not (folder / name).is_file():
            continue
        found = load_checkpoint(folder / name).get('meta', {}).get('seed')
        if type(found) is not int or type(seed) is not int:
            continue        # it is not noted
        if found not in {seed, seed + index, seed + ticket, seed + index + ticket}:
            raise Violation(f'{folder / name} is of a training with seed {found}, {paths.LOTTERY} '
                            f'has seed {seed}')


def check_end(folder: Path) -> str:
    """What a finished round ended with is what its training itself has saved at the end.

    Returns:
        str: What was compared.
    """
    final = load_checkpoint(folder / paths.FINAL)
    last = saved_on_the_way(folder, final.get('meta', {}).get('iter'))
    if last is None:
        return 'not compared with the last checkpoint, which is not here'
    if final.get('meta', {}).get('set_at_end'):
        return f'not compared with {last.name}: a hook has set its weights behind that'
    found, wanted = (weights_of(checkpoint, path) for checkpoint, path in (
        (final, folder / paths.FINAL), (load_checkpoint(last), last)))
    for name in [*wanted, *found]:
        if name not in found or name not in wanted or not _same(found[name], wanted[name]):
            raise Violation(f'{folder / paths.FINAL}: {name} is not that of {last}, which was '
                            'saved after the same iteration')
    return f'its weights are those of {last.name}'


def _same(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    return found.dtype == wanted.dtype and torch.equal(comparable(found), comparable(wanted))


def seed_of(lottery: Mapping[str, Any]) -> Optional[int]:
    """The seed that a ``lottery.json`` notes."""
    return (lottery['config'].get('randomness') or {}).get('seed')
