"""Is a scope sensible? Told from the modules that own the weights, not from their names."""
import re
from typing import List, Mapping, Tuple

from torch import nn
from torch.nn.modules.conv import _ConvNd

from mmlth.core.errors import UserError

# What a weight in scope must not be, whatever module holds it.
_NOT_WEIGHTS = re.compile(
    r'bias|norm\d*\.|(^|\.)bn\d*\.|pos(ition)?_?embed|query_embed|(query|level)_(feat|embed)|'
    r'(cls|mask)_token|running_|relative_position', re.IGNORECASE)


_TEACHER = re.compile(r'(^|[._])teacher([._]|$)')


def check_scope(model: nn.Module, scope: Mapping[str, nn.Parameter]) -> None:
    """Raise a UserError if the default scope holds what it must not, or lacks a layer.

    Args:
        model: The model.
        scope: Its default scope.
    """
    wrong = [name for name in scope if _NOT_WEIGHTS.search(name) or _TEACHER.search(name)]
    if wrong:
        raise UserError(f'the scope holds what is no weight of a layer: {wrong[:3]}')
    missing = missing_layers(model, scope)
    if missing:
        raise UserError(f'the scope lacks the layers {missing[:3]}')


def kinds_of(model: nn.Module, scope: Mapping[str, nn.Parameter]) -> Tuple[List[str], List[str]]:
    """What is in scope and which matrices are left out, as ``Module.parameter``, each once."""
    ids = {id(param) for param in scope.values()}
    inside, outside = set(), set()
    for prefix, module in model.named_modules():
        for name, param in module.named_parameters(recurse=False):
            teacher = 'teacher: ' if _TEACHER.search(f'{prefix}.') else ''
            kind = f'{teacher}{type(module).__name__}.{name}'
            if id(param) in ids:
                inside.add(kind)
            elif param.dim() >= 2:
                outside.add(kind)
    return sorted(inside), sorted(outside)


def missing_layers(model: nn.Module, scope: Mapping[str, nn.Parameter]) -> List[str]:
    """Weights of convolutions, linear layers and attention that are not in scope."""
    held = {id(param) for param in scope.values()}
    held |= {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    missing = []
    for prefix, module in model.named_modules():
        if _TEACHER.search(prefix):
            continue
        kinds = {'weight'} if isinstance(module, (nn.Linear, _ConvNd)) else set()
        if isinstance(module, nn.MultiheadAttention):
            kinds |= {'in_proj_weight', 'q_proj_weight', 'k_proj_weight', 'v_proj_weight'}
        missing += [f'{prefix}.{name}' for name, param in module.named_parameters(recurse=False)
                    if name in kinds and id(param) not in held]
    return missing
