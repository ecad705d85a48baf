"""What a config would prune, told from the model alone."""
import copy
from typing import Any, Dict

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmlth.core import available_groups, select
from mmlth.core import mask as masks

from .hook_configs import build_hook
from .hooks import PruneHook


def build_model(cfg: Config) -> nn.Module:
    """The config's model, its weights not initialised: no data and no download."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    return MODELS.build(model_cfg)


def preview(cfg: Config) -> Dict[str, Any]:
    """Groups, scope and the sparsity to expect.

    Args:
        cfg: Any config; without a PruneHook its defaults hold (80 % of every
            convolution and linear weight). Of a transfer, the source is read.

    Returns:
        dict: ``groups``, a list of ``name``, ``weights`` and ``share`` (of all
        parameters of the network, a fraction; groups may overlap) and ``in_scope`` (how
        many of the weights are); ``scope_weights``, ``network_weights``,
        ``scope_sparsity`` and ``network_sparsity`` (fractions, after the last round).
    """
    hook = build_hook(cfg, PruneHook) or PruneHook()
    model = build_model(cfg)
    network = sum(p.numel() for p in model.parameters())
    if hook.transfer is not None:
        mask = hook.transfer.read(model)[0].mask
        scope, pruned = mask, masks.pruned(mask)
    else:
        scope = select(model, hook.scope, hook.frozen)
        pruned = round(hook.sparsities[-1] * masks.size(scope))
    weights = masks.size(scope)
    groups = []
    for name, params in available_groups(model).items():
        count = sum(p.numel() for p in params.values())
        groups.append(dict(
            name=name, weights=count, share=count / network,
            in_scope=sum(p.numel() for n, p in params.items() if n in scope)))
    return dict(groups=groups, scope_weights=weights, network_weights=network,
                scope_sparsity=pruned / weights, network_sparsity=pruned / network)


def to_text(result: Dict[str, Any]) -> str:
    """The preview as a table for people."""
    lines = [f'{"group":<16}{"weights":>14}{"share":>10}{"in scope":>10}']
    for row in result['groups']:
        lines.append(f'{row["name"]:<16}{row["weights"]:>14,}{row["share"]:>10.2%}'
                     f'{row["in_scope"] / row["weights"]:>10.0%}')
    return '\n'.join([
        *lines, '',
        f'in scope         {result["scope_weights"]:>13,} of '
        f'{result["network_weights"]:,} parameters',
        f'scope sparsity   {result["scope_sparsity"]:>13.2%}',
        f'network sparsity {result["network_sparsity"]:>13.2%}'])
