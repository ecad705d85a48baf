"""State dicts: copies that do not follow the model, and strict comparison."""
from typing import Dict, Mapping

from torch import Tensor, nn

from .errors import UserError


def snapshot(model: nn.Module) -> Dict[str, Tensor]:
    """The model's parameters and buffers on the CPU, each once.

    Detached and cloned: ``model.state_dict()`` itself holds references, and a "rewind
    point" made of those follows the training. A tensor that a model has under several
    names is kept under the first.
    """
    return {name: tensor.detach().cpu().clone() for name, tensor in unique(model).items()}


def unique(model: nn.Module) -> Dict[str, Tensor]:
    """The live parameters and buffers of the model's state dict, each once."""
    seen, result = set(), {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            result[name] = tensor
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
