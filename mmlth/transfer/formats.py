"""The weights and masks in a file, whoever wrote it, where no more than the naming differs."""
import copy
import re
from types import MappingProxyType
from typing import (Any, Container, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence,
                    Tuple)

import torch
from torch import Tensor

from mmlth.core import mask as masks
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.core.state import trained_weights
from mmlth.core.unknown import Unknown

# Where training programs put the state dict: MMEngine, Lightning, SparseML, timm, torchvision.
_NESTS = ('state_dict', 'model_state_dict', 'model', 'net', 'network', 'module', 'weights',
          'state_dict_ema', 'model_ema', 'ema_state_dict', 'ema')
# What wraps a model: DataParallel and EMA, Lightning, torch.compile.
_WRAPPER = re.compile(r'(module|model|net|network|_orig_mod)\.')


class Content(NamedTuple):
    """What a file holds, by its own names.

    Args:
        weights: Parameters and buffers; empty of a file of masks alone.
        mask: Its masks; empty if it has none.
        origin: Where the masks come from, in words.
        extra: Plain extra states (:func:`mmlth.core.state.extra_states`). Default: none.
    """
    weights: Dict[str, Tensor]
    mask: Dict[str, Tensor]
    origin: str = ''
    extra: Mapping[str, Any] = MappingProxyType({})


def unpack(loaded: Any, source: AnyPath) -> Content:
    """The weights and masks of a loaded file.

    Weights are found on the top level or under one of the usual keys. Masks are those of mmlth, of
    ``torch.nn.utils.prune`` (``weight_orig`` times ``weight_mask``) or of NNI
    (``{module: {'weight': mask}}``).

    Args:
        loaded: What :func:`mmlth.core.checkpoint_file.load` gives.
        source: The file, for messages.

    Raises:
        UserError: It holds neither, or what it holds is malformed.
    """
    try:
        return _unpack(loaded, source)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f'{source} cannot be read as a checkpoint: {str(error)[:300]}') from None


def _unpack(loaded: Any, source: AnyPath) -> Content:
    state = _find_state(loaded)
    if state is None:
        mask = _masks_by_module(loaded)
        if mask:
            return Content({}, mask, "the file's masks")
        raise UserError(
            f'{source} holds no tensors by parameter name: expected a state dict, or a checkpoint '
            f'with one under {", ".join(_NESTS[:3])} or the like, found {_describe(loaded)}')
    extra, others = states.extra_states(state)
    weights = copy.copy(state)      # with its modules' versions
    for name in [n for n, t in state.items() if not torch.is_tensor(t) or n in others]:
        del weights[name]
    for name, tensor in weights.items():
        if tensor.layout != torch.strided:      # sparse: what it leaves out is zero
            weights[name] = tensor.to_dense()
    mask, origin = _masks_of_prune(weights), 'the masks of torch.nn.utils.prune'
    saved = loaded.get('mmlth') or {}
    if not mask and saved.get('masks'):
        mask, origin = {n: masks.unpack(packed['bits'], packed['shape'])
                        for n, packed in saved['masks'].items()}, "the checkpoint's masks"
    return Content(weights, mask, origin if mask else '', extra)


def forms(name: str) -> List[str]:
    """A name, and what it is inside of wrappers of the model: without ``module.``, ``model.``."""
    found = [name]
    while _WRAPPER.match(found[-1]):
        found.append(_WRAPPER.sub('', found[-1], count=1))
    return found


def unwrapped(names: Sequence[str], own: Container[str]) -> Dict[str, str]:
    """Each name without as many wrappers as let most of them be names of ``own``."""
    by_depth = [{name: (forms(name) + [forms(name)[-1]] * depth)[depth] for name in names}
                for depth in range(max((len(forms(name)) for name in names), default=1))]
    return max(by_depth, key=lambda found: sum(n in own for n in found.values()))


def _find_state(loaded: Any) -> Optional[Dict[str, Any]]:
    """The state dict in nested dicts; None if there is none."""
    if not isinstance(loaded, dict):
        return None
    if isinstance(loaded.get('state_dict'), dict) and any(
            map(torch.is_tensor, loaded['state_dict'].values())):
        return trained_weights(loaded)
    for key in _NESTS:
        found = _find_state(loaded.get(key))
        if found is not None:
            # mmengine's averages count their updates
            return {n: t for n, t in found.items() if n != 'steps' or not key.startswith('ema')}
    # A tensor beside state dicts, a best score for one, makes no state dict of their dict.
    if any(_find_state(value) is not None for name, value in loaded.items()
           if not str(name).endswith('_extra_state')):
        return None
    return loaded if any(map(torch.is_tensor, loaded.values())) else None


def _masks_of_prune(weights: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Take ``weight_orig`` and ``weight_mask`` out of ``weights``, and put ``weight`` in."""
    mask = {}
    for name in [n[:-len('_orig')] for n in weights if n.endswith('_orig')]:
        keep = weights.get(f'{name}_mask')
        if keep is not None and keep.shape == weights[f'{name}_orig'].shape:
            mask[name] = _binary(f'{name}_mask', weights.pop(f'{name}_mask'))
            weights[name] = weights.pop(f'{name}_orig').detach().masked_fill(~mask[name], 0)
    return mask


def _masks_by_module(loaded: Any) -> Dict[str, Tensor]:
    """NNI's; a mask of a bias that keeps all of it is none."""
    found = {(module, key): value for module, inner in _items(loaded)
             for key, value in _items(inner) if torch.is_tensor(value)}
    if any(key not in ('weight', 'bias') for _, key in found):
        return {}       # state dicts of several models
    keeps = {f'{module}.{key}': _binary(f'{module}.{key}', value)
             for (module, key), value in found.items()}
    return {n: keep for n, keep in keeps.items() if keep.dim() > 1 or not keep.all()}


def _items(value: Any) -> Iterable[Tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _binary(name: str, mask: Tensor) -> Tensor:
    keep = mask.detach() != 0
    if not torch.equal(keep.to(mask.dtype), mask.detach()):
        raise UserError(f'{name} is no mask: expected zeros and ones, found other values')
    return keep


def _describe(loaded: Any) -> str:
    if isinstance(loaded, Unknown):
        return (f'an object of {loaded.__name__} (a whole model, saved by torch.save(model)? '
                'Save its state_dict())')
    if isinstance(loaded, dict) and loaded:
        keys = list(map(str, loaded))
        objects = sorted({v.__name__ for v in loaded.values() if isinstance(v, Unknown)})
        return (f'the keys {", ".join(keys[:5])}{", ..." if len(keys) > 5 else ""}'
                + (f' with objects of {", ".join(objects[:3])} (a whole model? Save its '
                   'state_dict())' if objects else ''))
    return f'{type(loaded).__name__} of {len(loaded)}' if hasattr(loaded, '__len__') else (
        type(loaded).__name__)
