"""One checkpoint: it loads, and no pruned weight is other than 0."""
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor

from mmlth.core import checkpoint_file
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.ticket import check_shape

from .moved import check_moved, update_of
from .optimizer import check_optimizer
from .violation import Violation


def check_checkpoint(path: Path, expected: Optional[Mapping[str, Tensor]] = None,
                     source: str = '', static: bool = False,
                     ) -> Tuple[str, Optional[Mapping[str, Tensor]]]:
    """What was checked, and the masks that its training has begun with.

    They are the checkpoint's own (empty for a dense one); where the training changes them, they
    are known from ``expected`` alone.

    Args:
        path: The ``.pth`` file.
        expected: The masks it must have, or have begun with. Default: None, any.
        source: Where ``expected`` comes from, for the message.
        static: Its lottery changes no masks within a training. Default: False, it may.
    """
    checkpoint = load_checkpoint(path)
    if expected and not {'mmlth', 'optimizer'} & set(checkpoint):
        return _check_published(path, checkpoint, expected, static), expected
    mask, update = read_masks(checkpoint, path), update_of(checkpoint, path)
    if update is not None and static:
        raise Violation(f'{path}: it notes that its masks were changed within the training '
                        '(mmlth.update), but the lottery has no update')
    if update is None and expected is not None and masks.digest(mask) != masks.digest(expected):
        raise Violation(
            f'{path}: its masks prune {masks.pruned(mask)} of {masks.size(mask)} weights, '
            f'those of {source} {masks.pruned(expected)} of {masks.size(expected)}, and '
            f'{_first_difference(mask, expected)}')
    copies = copies_of(checkpoint, path)
    whole = masks.with_copies(mask, copies)
    check_weights(f'{path}', weights_of(checkpoint, path), whole)
    ema = 'ema_state_dict' in checkpoint
    if ema:
        check_weights(f'{path}, ema_state_dict', weights_of(checkpoint, path, 'ema_state_dict'),
                      whole, 'module.')
    if not mask:
        return f'dense, all weights finite{", EMA too" if ema else ""}', mask
    moved = None if update is None else check_moved(path, mask, update, expected, source)
    return ', '.join(filter(None, (
        f'{masks.pruned(mask):,} of {masks.size(mask):,} weights in scope are zero', moved,
        'EMA too' if ema else '', 'the teacher too' if copies else '',
        check_optimizer(checkpoint, mask, path)))), (mask if update is None else expected)


def _check_published(path: Path, checkpoint: Mapping[str, Any], expected: Mapping[str, Tensor],
                     static: bool) -> str:
    """What a CheckpointHook has published (``published_keys``) lacks its masks."""
    check_weights(f'{path}', weights_of(checkpoint, path), expected if static else {})
    zeros = f'{masks.pruned(expected):,} of {masks.size(expected):,} weights in scope are zero'
    return f'published without its masks, {zeros if static else "all weights finite"}'


def load_checkpoint(path: Path) -> Dict[str, Any]:
    """The checkpoint, read without running code or taking more memory than its bytes."""
    try:
        checkpoint = checkpoint_file.load(path)
    except UserError as error:
        raise Violation(str(error)) from None
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('meta', {}), dict):
        raise Violation(f'{path} is no checkpoint of mmengine: expected a dict with '
                        f'state_dict and meta, got {type(checkpoint).__name__}')
    return checkpoint


def weights_of(checkpoint: Mapping[str, Any], path: Path,
               key: str = 'state_dict') -> Dict[str, Tensor]:
    """The tensors of a state dict, each an ordinary one."""
    state = checkpoint.get(key)
    if not isinstance(state, dict):
        raise Violation(f'{path} is no checkpoint of mmengine: it has no {key}')
    weights = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name, tensor in weights.items():
        if not is_ordinary(tensor):
            raise Violation(f'{path}: {name} in {key} is no ordinary dense tensor')
    return weights


def is_ordinary(tensor: Any) -> bool:
    """Whether it is a dense tensor whose every entry is in the file: no view that repeats."""
    return (isinstance(tensor, Tensor) and tensor.layout == torch.strided
            and tensor.device.type == 'cpu'
            and not tensor.is_quantized and not tensor.is_nested
            and tensor.numel() * tensor.element_size() <= _storage(tensor).nbytes())


def _storage(tensor: Tensor) -> Union['torch.UntypedStorage', 'torch.TypedStorage']:
    """PyTorch 1 has typed ones alone."""
    return getattr(tensor, 'untyped_storage', tensor.storage)()


def read_masks(checkpoint: Mapping[str, Any], path: Path) -> masks.Mask:
    """The masks in the checkpoint's ``mmlth`` entry; empty if it has none."""
    entry = checkpoint.get('mmlth', {})
    found = entry.get('masks', {}) if isinstance(entry, dict) else None
    if not isinstance(found, dict):
        raise Violation(f'{path}: expected masks by parameter name under mmlth, got '
                        f'{type(entry if found is None else found).__name__}')
    mask = {name: _unpack(name, packed, path) for name, packed in found.items()}
    if 'masks' in entry and entry.get('digest') != masks.digest(mask):
        raise Violation(f'{path}: its masks have the digest {masks.digest(mask)[:12]}..., '
                        f'noted is {str(entry.get("digest"))[:12]}...')
    return mask


def copies_of(checkpoint: Mapping[str, Any], path: Path) -> Dict[str, str]:
    """The names of averaged copies in the same state dict, by those of the masks; often none."""
    copies = checkpoint.get('mmlth', {}).get('copies', {})
    names = checkpoint.get('mmlth', {}).get('masks', {})
    if not isinstance(copies, dict) or not copies.keys() <= names.keys() or not all(
            isinstance(copy, str) and copy not in names for copy in copies.values()):
        raise Violation(f'{path}: mmlth.copies is malformed, expected names of weights by those '
                        'of masks')
    return copies


def _unpack(name: Any, packed: Any, path: Path) -> Tensor:
    try:
        shape, bits = packed['shape'], packed['bits']
        if not isinstance(name, str) or not is_ordinary(bits):
            raise ValueError('it is malformed')
        check_shape(name, shape)
        return masks.unpack(bits, shape)
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        raise Violation(f'{path}: the mask of {str(name)[:100]} cannot be decoded: '
                        f'{str(error)[:200]}') from None


def check_weights(where: str, weights: Mapping[str, Tensor], mask: Mapping[str, Tensor],
                  prefix: str = '') -> None:
    """Pruned weights are 0 (-0.0 is, NaN is not), and all weights are finite."""
    for name, keep in mask.items():
        weight = weights.get(prefix + name)
        if weight is None:
            raise Violation(f'{where}: there is a mask for {name}, but no such weight')
        if weight.shape != keep.shape:
            raise Violation(f'{where}: {name} has shape {tuple(weight.shape)}, its mask '
                            f'{tuple(keep.shape)}')
        alive = int((weight[~keep] != 0).sum())
        if alive:
            raise Violation(f'{where}: {name} has {alive} weights that are not 0 among its '
                            f'{int((~keep).sum())} pruned ones')
    for name, tensor in weights.items():
        bad = tensor.numel() - int(torch.isfinite(comparable(tensor)).sum())
        if bad:
            raise Violation(f'{where}: {name.removeprefix(prefix)} has {bad} non-finite '
                            f'values (NaN or infinity) of {tensor.numel()}')


def comparable(tensor: Tensor) -> Tensor:
    """Eight-bit floats have no operators."""
    return tensor.float() if tensor.element_size() == 1 else tensor


def _first_difference(mask: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    alone = sorted(mask.keys() ^ expected.keys())
    if alone:
        return f'only {"the latter" if alone[0] in expected else "the former"} have {alone[0]}'
    for name in expected:
        if mask[name].shape != expected[name].shape:
            return f'the shapes of {name} differ'
        if not torch.equal(mask[name], expected[name]):
            return f'{int((mask[name] != expected[name]).sum())} entries of {name} differ'
    return 'they are noted differently'
