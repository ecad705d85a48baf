"""A checkpoint of a training elsewhere, taken for a lottery's dense model or its rewind point."""
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

import torch
from torch import Tensor, nn

from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.transfer.formats import Content, unpack
from mmlth.transfer.source import LEAST, scattered

from .loading import evaluated_part, load_content
from .reading import read_with_digest


@dataclass(frozen=True)
class Given:
    """What such a file holds. With an EMAHook mmengine saves two copies of the weights.

    Args:
        address: A path, a URL or anything else that mmengine loads.
        sha256: Of the file's bytes.
        loaded: Its content.
        trained: The weights as the optimizer has left them: of these masks are drawn, and from
            these a ticket starts.
        average: Their moving average, which is evaluated. None: the file holds one copy alone,
            which is taken for both.
    """
    address: str
    sha256: str
    loaded: Dict[str, Any]
    trained: Content
    average: Optional[Content]

    @property
    def meta(self) -> Dict[str, Any]:
        """What mmengine notes of a training; empty for files of others."""
        meta = self.loaded.get('meta')
        return dict(meta) if isinstance(meta, dict) else {}

    def count(self, key: str) -> Optional[int]:
        """``'iter'``, ``'epoch'`` or ``'seed'``; None if the file does not tell it."""
        value = self.meta.get(key)
        return value if type(value) is int and 0 <= value < 2**63 else None

    @property
    def iterations(self) -> Optional[int]:
        """How long it was trained; 0 is told of a rewind point of ours alone."""
        told = self.count('iter')
        return told if told or self.meta.get('rewind_point') else None

    @property
    def learning_rates(self) -> Optional[List[float]]:
        """At which it ended, one per parameter group; None in a file without an optimizer."""
        optimizer = self.loaded.get('optimizer')
        groups = optimizer.get('param_groups') if isinstance(optimizer, dict) else None
        return [float(group['lr']) for group in groups] if groups else None

    @property
    def base_learning_rate(self) -> Optional[float]:
        """That of no group, which mmengine logs; None of one group alone, or without optimizer."""
        optimizer = self.loaded.get('optimizer')
        base = optimizer.get('base_param_settings') if isinstance(optimizer, dict) else None
        return float(base['lr']) if isinstance(base, dict) else None

    def load(self, model: nn.Module) -> Content:
        """Put the trained weights into a model; return them by its names.

        Raises:
            UserError: They are another model's.
        """
        return load_content(self.trained, self.address, model)

    def load_average(self, model: nn.Module) -> Content:
        """Put what is to be evaluated into a model; return it by its names."""
        return load_content(self.average or self.trained, self.address, model)

    def note(self) -> Dict[str, Any]:
        """For ``lottery.json``: which file it was, and what it told."""
        return dict(file=self.address, sha256=self.sha256, iterations=self.iterations,
                    epoch=self.count('epoch'), seed=self.count('seed'),
                    averaged=self.average is not None)

    def __str__(self) -> str:
        return self.address


def read_given(address: AnyPath) -> Given:
    """Read a checkpoint as data.

    Raises:
        UserError: There is none, it holds no weights, or those of a pruned model.
    """
    address = str(address)
    loaded, sha256 = read_with_digest(address)
    evaluated = evaluated_part(loaded)
    trained = unpack(loaded, address)
    average = None if evaluated is loaded else unpack(evaluated, address)
    for content in filter(None, (trained, average)):
        check_dense(content, address)
    return Given(address, sha256, loaded, trained, average)


def check_dense(content: Content, source: str) -> None:
    """Raise a UserError for weights that are pruned already, or not finite."""
    if not content.weights:
        raise UserError(f'{source} holds no weights, {content.origin} alone')
    if masks.pruned(content.mask):
        raise _pruned(source, f'{masks.pruned(content.mask):,} of {masks.size(content.mask):,} '
                              f'weights, by {content.origin}')
    for name, weight in content.weights.items():
        if not torch.isfinite(weight).all():
            raise UserError(f'{source}: {name} has values that are not finite (NaN or infinity)')


def check_zeros(weights: Mapping[str, Tensor], source: str) -> List[str]:
    """Tell single zeros, which pruning leaves, from filters that died in a dense training.

    Args:
        weights: Of the convolutions and linear layers.
        source: The file.

    Returns:
        list[str]: Layers that have dead filters, with their numbers.

    Raises:
        UserError: They look pruned.
    """
    zeros = {name: scattered(weight) for name, weight in weights.items()}
    worst = max(zeros, key=lambda name: zeros[name], default=None)
    if worst is not None and zeros[worst] >= LEAST:
        raise _pruned(source, f'{zeros[worst]:.0%} of the weights of {worst} are single zeros')
    dead = {name: int((weight.flatten(1) == 0).all(1).sum()) for name, weight in weights.items()}
    return [f'{name} ({count} of {len(weights[name])})' for name, count in dead.items() if count]


def _pruned(source: str, how: str) -> UserError:
    return UserError(
        f'{source} is pruned already ({how}), but PruneHook(dense=...) and RewindHook(point=...) '
        'take checkpoints of a dense training. To train its mask, take '
        "PruneHook(transfer=dict(source=..., mapping='same')) instead.")
