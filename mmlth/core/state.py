"""State dicts: copies that do not follow the model, and strict comparison."""
import copy
import json
from collections import OrderedDict
from typing import Any, Dict, List, Mapping, Tuple

import torch
from torch import Tensor, nn

from .errors import UserError


def snapshot(model: nn.Module) -> Dict[str, Tensor]:
    """The model's parameters and buffers on the CPU, each once.

    Detached and cloned: ``model.state_dict()`` itself holds references, and a "rewind
    point" made of those follows the training. A tensor that a model has under several
    names is kept under the first.
    """
    return {name: tensor.detach().cpu().clone() for name, tensor in unique(model).items()}


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of the model.

    Raises:
        UserError: A module keeps a tensor of which PyTorch makes none: one with a history.
    """
    for path, module in model.named_modules():
        for name, value in {**vars(module), **module._buffers}.items():
            if isinstance(value, Tensor) and not value.is_leaf:
                raise UserError(
                    f'the model cannot be copied: {path or type(module).__name__} keeps {name!r}, '
                    'a tensor with the history of its gradient. In the place of '
                    'torch.nn.utils.weight_norm take that of torch.nn.utils.parametrizations')
    return copy.deepcopy(model)


def unique(model: nn.Module) -> Dict[str, Tensor]:
    """The live parameters and buffers of the model's state dict, each once.

    What a module's ``get_extra_state`` gives is neither, not even if it is a tensor.

    Raises:
        UserError: The state dict has a parameter under another name than the model.
    """
    names: Dict[int, str] = {}
    result = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if not _is_extra(name) and id(tensor) not in names:
            names[id(tensor)] = name
            result[name] = tensor
    for name, param in model.named_parameters():
        if name not in result and name != names.get(id(param), name):
            raise UserError(
                f'{name} of the model is saved as {names[id(param)]}: a hook of its state dict '
                'renames it. Masks and weights go by one name: take the model without that hook '
                '(of a wrapper, the model that it wraps)')
    return result


def check_same(expected: Mapping[str, Tensor], found: Mapping[str, Tensor],
               source: str) -> None:
    """Raise a UserError on missing, unexpected or differently shaped tensors.

    Args:
        expected: What the model has.
        found: What the file has.
        source: Named in the message, e.g. the file's path.
    """
    missing = [n for n in expected if n not in found]
    unexpected = [n for n in found if n not in expected]
    shapes = [
        f'{n} ({tuple(found[n].shape)} in the file, {tuple(expected[n].shape)} in the model)'
        for n in expected if n in found and expected[n].shape != found[n].shape]
    problems = [
        f'{len(names)} {what}: {", ".join(names[:3])}{", ..." if len(names) > 3 else ""}'
        for what, names in (('missing', missing), ('unexpected', unexpected),
                            ('of another shape', shapes)) if names]
    if problems:
        raise UserError(
            f'{source} does not fit this model: {"; ".join(problems)}. Was it made for '
            'another model or another number of classes?')


def load(model: nn.Module, state: Mapping[str, Tensor], source: str,
         strict: bool = True) -> None:
    """Copy ``state`` into the model: none left over, and if ``strict`` every tensor."""
    own = unique(model)
    expected = own if strict else {name: t for name, t in own.items() if name in state}
    check_same(expected, state, source)
    for name, tensor in expected.items():
        tensor.detach().copy_(state[name])


def with_versions(tensors: Mapping[str, Any], other: Mapping[str, Any]) -> 'OrderedDict[str, Any]':
    """A state dict of these tensors, with the versions of modules that another one notes."""
    state = OrderedDict(tensors)
    # PyTorch's own attribute, which no hints know.
    state._metadata = getattr(other, '_metadata', {})   # type: ignore[attr-defined]
    return state


def renamed(model: nn.Module, state: Mapping[str, Any]) -> Dict[str, Any]:
    """A state dict of an older version of the model by the names of today.

    Modules convert older names in hooks of ``load_state_dict``, or in their
    ``_load_from_state_dict``: as mmengine does, all of them are called, which also loads
    what fits into ``model``.
    """
    result, versions = dict(state), getattr(state, '_metadata', {})

    def visit(module: nn.Module, prefix: str) -> None:
        module._load_from_state_dict(result, prefix, versions.get(prefix[:-1], {}), True, [], [],
                                     [])
        for name, child in module._modules.items():
            if child is not None:
                visit(child, f'{prefix}{name}.')

    visit(model, '')
    return result


def extra_states(state: Mapping[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """What ``get_extra_state`` of modules has put into a state dict.

    Returns:
        tuple[dict, list[str]]: The extra states that JSON can hold exactly, by name, copied;
        and the names of the others.
    """
    plain, others = {}, []
    for name, value in state.items():
        if _is_extra(name):
            if _is_plain(value):
                plain[name] = copy.deepcopy(value)
            else:
                others.append(name)
    return plain, others


def set_extra_states(model: nn.Module, states: Mapping[str, Any]) -> None:
    """Give each module its extra state.

    Raises:
        UserError: The model has no such module, or one that keeps none.
    """
    modules = dict(model.named_modules())
    for name, value in states.items():
        module = modules.get(name.rpartition('.')[0])
        if module is None or type(module).set_extra_state is nn.Module.set_extra_state:
            raise UserError(f'there is an extra state {name}, which no module of this model keeps. '
                            'Was it made for another model?')
        module.set_extra_state(copy.deepcopy(value))


def buffer_shapes(model: nn.Module) -> Dict[str, Tuple[int, ...]]:
    """The shape of each buffer that is in the model's state dict."""
    params = _parameters(model)
    return {name: tuple(tensor.shape) for name, tensor in unique(model).items()
            if name not in params}


def fit_buffers(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Give the model's buffers the shapes that they have in ``state``, and make those it lacks.

    Some modules make buffers in their first forward, or let them grow. The values are
    not loaded, and names that cannot be a buffer's are left to who loads them.
    """
    own, modules = buffer_shapes(model), dict(model.named_modules())
    params = _parameters(model)
    device = next((p.device for p in params.values()), torch.device('cpu'))
    for name, value in state.items():
        path, _, key = name.rpartition('.')
        module = modules.get(path)
        if (not isinstance(value, Tensor) or module is None or name in params or _is_extra(name)
                or own.get(name) == tuple(value.shape)):
            continue
        if name in own or not hasattr(module, key):
            module.register_buffer(key, torch.empty_like(value, device=(
                module._buffers[key].device if name in own else device)))


def trained_weights(checkpoint: Mapping) -> Dict[str, Tensor]:
    """The weights that were trained, from an mmengine checkpoint.

    With an EMAHook, ``state_dict`` holds the average and ``ema_state_dict`` the weights
    themselves (the hook swaps them before saving).
    """
    state = copy.copy(checkpoint['state_dict'])     # with its modules' versions
    for name, tensor in (checkpoint.get('ema_state_dict') or {}).items():
        if name.startswith('module.'):
            state[name[len('module.'):]] = tensor
    return state


def late_schedulers(checkpoint: Mapping) -> int:
    """How many schedulers of an mmengine checkpoint lack a step that its place in training has.

    Earlier versions of mmlth saved a point at the end of an epoch before by-epoch schedulers
    had stepped.
    """
    meta = checkpoint['meta']
    return sum(scheduler['_global_step'] < meta['epoch' if scheduler['by_epoch'] else 'iter']
               for scheduler in checkpoint.get('param_schedulers') or [])


def _parameters(model: nn.Module) -> Dict[str, nn.Parameter]:
    """Each under all of its names; ``named_parameters`` can do that from PyTorch 2.0 on."""
    return {f'{path}.{name}' if path else name: param
            for path, module in model.named_modules(remove_duplicate=False)
            for name, param in module._parameters.items() if param is not None}


def _is_extra(name: str) -> bool:
    return name.rpartition('.')[2] == '_extra_state'


def _is_plain(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError, RuntimeError, RecursionError):
        return False
