"""Which weights may be pruned.

A scope is a list of group names, or ``dict(include=[regex], exclude=[regex])`` on full
parameter names, or None for every weight of a convolution or linear layer.
"""
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from torch import nn
from torch.nn.modules.conv import _ConvNd

from .errors import UserError
from .parts import GROUPS, TEACHER, groups_of

ScopeSpec = Union[None, Sequence[str], Mapping[str, Sequence[str]]]

def prunable(model: nn.Module) -> Dict[str, nn.Parameter]:
    """Every weight of a convolution or linear layer, by its full name.

    Transposed and deformable convolutions and the projections that attention keeps as
    plain parameters (``in_proj_weight``) count; biases, norms, embeddings and the teacher
    of a distilled or semi-supervised model (a module ``teacher``) do not.
    A parameter shared by several modules appears once, under the first of all its names, as
    ``named_parameters`` has it; one that an embedding shares counts as an embedding.
    """
    found, names = {}, _first_names(model)
    seen = {id(m.weight) for m in model.modules()
            if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
    for prefix, module in model.named_modules():
        if is_norm(module) or TEACHER.search(f'{prefix}.'):
            continue
        for name, param in module.named_parameters(prefix, recurse=False):
            if name.endswith('weight') and param.dim() >= 2 and id(param) not in seen:
                seen.add(id(param))
                found[names[id(param)]] = param
    return found


def norm_weights(model: nn.Module) -> Dict[str, nn.Parameter]:
    """The scale of every normalisation layer (group ``norm``); names and teacher as above."""
    found, names = {}, _first_names(model)
    for prefix, module in model.named_modules():
        scale = module._parameters.get('weight')
        if scale is not None and is_norm(module) and not TEACHER.search(f'{prefix}.'):
            found[names[id(scale)]] = scale
    return found


def _first_names(model: nn.Module) -> Dict[int, str]:
    """Of each parameter, by its ``id``: what the rest of mmlth knows it by."""
    return {id(param): name for name, param in model.named_parameters()}


def available_groups(model: nn.Module) -> Dict[str, Dict[str, nn.Parameter]]:
    """All groups of the model with their parameters. Groups may overlap."""
    groups: Dict[str, Dict[str, nn.Parameter]] = {}
    for name, param in prunable(model).items():
        for group in groups_of(name):
            groups.setdefault(group, {})[name] = param
    order = ['stem', 'base', 'top', 'downsample', *GROUPS]
    groups = {g: groups[g] for g in dict.fromkeys([*order, *groups]) if g in groups}
    norms = norm_weights(model)
    return {**groups, 'norm': norms} if norms else groups


@dataclass(frozen=True)
class Scope:
    """Which weights may be pruned.

    Args:
        spec: Group names, or ``dict(include=[regex], exclude=[regex])`` matched with
            ``re.search`` on full parameter names, or None: all of :func:`prunable`.
        frozen: Keep parameters with ``requires_grad=False`` in scope, as the paper's
            code does. Default: True.

    Raises:
        UserError: The spec is of another kind, a regex is none, or a key of the dict is unknown.
    """
    spec: ScopeSpec = None
    frozen: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.spec, Mapping):
            for pattern in sum(self._patterns(), []):
                _compiled(pattern)
        elif self.spec is not None:
            if not all(isinstance(name, str) for name in _listed(self.spec)):
                raise UserError(
                    'scope: expected None, names of groups, or dict(include=[...], exclude=[...]) '
                    f'with regular expressions, got {self.spec!r}')

    def select(self, model: nn.Module) -> Dict[str, nn.Parameter]:
        """The parameters in scope, by full name, in the model's order.

        Args:
            model: The bare model (no DDP wrapper).

        Raises:
            UserError: A group or regex matches nothing, or nothing is left in scope.
        """
        if self.spec is None:
            chosen = prunable(model)
        elif isinstance(self.spec, Mapping):
            chosen = _by_regex(prunable(model), *self._patterns())
        else:
            chosen = _by_group(model, _listed(self.spec))
        if not self.frozen:
            chosen = {n: p for n, p in chosen.items() if p.requires_grad}
        if not chosen:
            raise UserError(
                f'the scope {self.spec!r} holds no weights'
                f'{"" if self.frozen else " (with frozen=False)"}; this model has the groups: '
                f'{", ".join(available_groups(model)) or "none"}')
        return chosen

    def plain(self) -> Any:
        """The spec in plain lists and dicts, for files."""
        if isinstance(self.spec, Mapping):
            patterns = dict(zip(('include', 'exclude'), self._patterns()))
            return {key: patterns[key] for key in self.spec}
        return self.spec if self.spec is None or isinstance(self.spec, str) else list(self.spec)

    def _patterns(self) -> Tuple[List[str], List[str]]:
        """Those to include and to exclude."""
        assert isinstance(self.spec, Mapping)
        wrong = set(self.spec) - {'include', 'exclude'}
        if wrong:
            raise UserError(
                f'scope: expected the keys "include" and "exclude" with lists of regular '
                f'expressions, got {sorted(wrong)}')
        include, exclude = (_listed(self.spec.get(key) or ()) for key in ('include', 'exclude'))
        return include, exclude


def select(model: nn.Module, scope: ScopeSpec = None,
           frozen: bool = True) -> Dict[str, nn.Parameter]:
    """:meth:`Scope.select` of ``Scope(scope, frozen)``."""
    return Scope(scope, frozen).select(model)


def is_norm(module: nn.Module) -> bool:
    """Whether it is a normalisation layer."""
    # By name, for the norms of any package; but mmdet's NormedLinear is a linear layer.
    return 'Norm' in type(module).__name__ and not isinstance(module, (nn.Linear, _ConvNd))


def _listed(value: Any) -> list:
    """A string alone is one name or pattern, not a list of letters."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        value = [value]
    return list(value)


def _by_group(model: nn.Module, scope: Sequence[str]) -> Dict[str, nn.Parameter]:
    groups = available_groups(model)
    unknown = [group for group in scope if group not in groups]
    if unknown:
        raise UserError(
            f'scope: unknown group(s) {", ".join(map(repr, unknown))}; this model has '
            f'the groups: {", ".join(groups)}')
    wanted = {name for group in scope for name in groups[group]}
    return {n: p for n, p in model.named_parameters() if n in wanted}


def _by_regex(params: Mapping[str, nn.Parameter], include: Sequence[str],
              exclude: Sequence[str]) -> Dict[str, nn.Parameter]:
    chosen = dict(params)
    if include:
        wanted = {name for pattern in include for name in _matching(params, pattern)}
        chosen = {n: p for n, p in params.items() if n in wanted}
    for pattern in exclude:
        for name in _matching(params, pattern):
            chosen.pop(name, None)
    return chosen


def _matching(params: Mapping[str, nn.Parameter], pattern: str) -> List[str]:
    expression = _compiled(pattern)
    names = [name for name in params if expression.search(name)]
    if not names:
        raise UserError(
            f'scope: {pattern!r} matches no prunable parameter; names look like '
            f'{", ".join(list(params)[:3])}')
    return names


def _compiled(pattern: str) -> 're.Pattern':
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise UserError(f'scope: {pattern!r} is no regular expression: {error}') from None
