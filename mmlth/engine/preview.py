"""What a config would prune, told from the model alone."""
from typing import Any, Dict, Mapping, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import Tensor, nn

from mmlth.core import Drawing, Layer, available_groups, layers_of, prunable
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.flops import compute_sparsity
from mmlth.core.parts import teachers_of

from .costs import count_costs, uncalled
from .example import example
from .hook_configs import build_hook, class_of, hooks_of
from .hooks import PruneHook
from .model import build_model
from .runners import averages_teacher
from .specs import PruneSpec


def preview(cfg: Config, shape: Optional[Tuple[int, int]] = None) -> Dict[str, Any]:
    """Groups, scope and the sparsity to expect.

    Args:
        cfg: Any config; without a PruneHook its defaults hold (80 % of every
            convolution and linear weight). Of a transfer, the source is read.
        shape: Height and width of the network's input that multiply-adds are counted at.
            Default: None, as the test pipeline has it.

    Returns:
        dict: ``groups``, a list of ``name``, ``weights`` and ``share`` (of all
        parameters of the network, a fraction; groups may overlap), ``compute`` (the share of
        the multiply-adds of all convolutions and linear layers, on an image of noise) and
        ``in_scope`` (how many of the weights are); ``scope_weights``, ``network_weights``,
        ``scope_sparsity``, ``network_sparsity`` and ``compute_sparsity`` (fractions, after the
        last round; None for what the trained weights decide), and ``note`` (which layers
        count no multiply-adds, or why none does; None if all do).
    """
    prune = (build_hook(cfg, PruneHook) or PruneHook()).spec
    model = build_model(cfg)
    network = sum(p.numel() for p in model.parameters())
    costs, note = _costs(cfg, model, shape)
    scope: Mapping[str, Tensor] = (
        prune.scope.select(model) if prune.transfer is None else prune.transfer.read(model)[0].mask)
    pruned, compute = _expected(prune, scope, costs, layers_of(model, costs))
    weights, total = masks.size(scope), _multiply_adds(costs, prunable(model))
    zeros = _zeros(cfg, model, scope, pruned)
    groups = []
    for name, params in available_groups(model).items():
        count = sum(p.numel() for p in params.values())
        groups.append(dict(
            name=name, weights=count, share=count / network,
            compute=_multiply_adds(costs, params) / total if total else None,
            in_scope=sum(p.numel() for n, p in params.items() if n in scope)))
    return dict(groups=groups, scope_weights=weights, network_weights=network,
                scope_sparsity=None if pruned is None else pruned / weights,
                network_sparsity=None if zeros is None else zeros / network,
                compute_sparsity=compute, note=note)


def _costs(cfg: Config, model: nn.Module,
           shape: Optional[Tuple[int, int]]) -> Tuple[Dict[str, float], Optional[str]]:
    """Multiply-adds of each weight on an image of noise, and what is missing."""
    try:
        costs = count_costs(model, example(cfg, shape=shape))
    except UserError as error:
        return {}, f'No compute sparsity: {error}'
    unreached = uncalled(costs, prunable(model))
    return costs, f'Noise does not reach {", ".join(unreached)}' if unreached else None


def _expected(prune: PruneSpec, scope: Mapping[str, Tensor], costs: Mapping[str, float],
              layers: Mapping[str, Layer]) -> Tuple[Optional[int], Optional[float]]:
    """How many weights go, and which share of their multiply-adds; None where it depends."""
    sparsity, allocation = prune.sparsity_of(prune.rounds), prune.drawing.allocation
    if not sparsity:    # of the dense control, say
        full = {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in scope.items()}
        return 0, compute_sparsity(full, costs)
    if prune.transfer is not None:      # the scope is the source's mask
        return masks.pruned(scope), compute_sparsity(scope, costs)
    if allocation.exact == 'macs':
        return None, sparsity
    if not allocation.by_shape:
        return round(sparsity * masks.size(scope)) if allocation.exact == 'scope' else None, None
    # Those of any weights will do.
    zeros = {name: torch.zeros(weight.shape) for name, weight in scope.items()}
    drawing = Drawing(allocation=allocation, floor=prune.drawing.floor)
    mask = drawing.draw(zeros, sparsity, layers=layers)
    return masks.pruned(mask), compute_sparsity(mask, costs)


def _zeros(cfg: Config, model: nn.Module, scope: Mapping[str, Tensor],
           pruned: Optional[int]) -> Optional[int]:
    """How many weights of the network go, those of a mean teacher too; None where it depends."""
    averaged = any(averages_teacher(class_of(cfg, hook)) for hook in hooks_of(cfg, Hook))
    teachers = teachers_of(dict(model.named_parameters())) if averaged else {}
    copied = scope.keys() & teachers.keys()
    if pruned is None or copied and copied != scope.keys():
        return None
    return 2 * pruned if copied else pruned


def _multiply_adds(costs: Mapping[str, float], params: Mapping[str, Tensor]) -> float:
    return sum(costs.get(name, 0) * param.numel() for name, param in params.items())


def to_text(result: Dict[str, Any]) -> str:
    """The preview as a table for people."""
    lines = [f'{"group":<16}{"weights":>14}{"share":>10}{"compute":>10}{"in scope":>10}']
    for row in result['groups']:
        lines.append(f'{row["name"]:<16}{row["weights"]:>14,}{row["share"]:>10.2%}'
                     f'{_percent(row["compute"]):>10}'
                     f'{row["in_scope"] / row["weights"]:>10.0%}')
    return '\n'.join([
        *lines, '',
        f'in scope         {result["scope_weights"]:>13,} of '
        f'{result["network_weights"]:,} parameters',
        f'scope sparsity   {_percent(result["scope_sparsity"]):>13}',
        f'network sparsity {_percent(result["network_sparsity"]):>13}',
        f'compute sparsity {_percent(result["compute_sparsity"]):>13}',
        *([result['note']] if result['note'] else [])])


def _percent(value: Optional[float]) -> str:
    """'-': not known before the weights are trained, or not counted."""
    return '-' if value is None else f'{value:.2%}'
