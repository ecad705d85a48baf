"""A model without pretraining: what was learnt is taken away, what was frozen for it trains."""
import copy
import re
from typing import Any, Callable, Iterator, List, Mapping, Tuple

from mmengine.config import Config
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from mmlth.core import prunable
from mmlth.core.errors import UserError

from .runners import bare_model
from .types import name_of

# Keys and values that name something learnt which cannot simply be left out: a teacher, a
# language model, embeddings of classes.
_LEARNT_KEY = re.compile(
    r'ckpt|checkpoint|language_model|lang_model|text_(encoder|model)|pretrained_model'
    r'|weights?_(path|file)|embed\w*_(path|file)|from_pretrained', re.I)
_LEARNT_VALUE = re.compile(
    r'^(torchvision|open-mmlab|mmcls|mmpretrain|modelzoo|https?|s3|petrel)://'
    r'|\.(pth|pt|ckpt|safetensors|bin|npy|npz|pkl)$|^bert-', re.I)
_NOT_LEARNT = ('with_cp', 'use_checkpoint', 'use_checkpointing', 'checkpointing')


def start_afresh(cfg: Config) -> bool:
    """Let a training begin with nothing learnt, in place.

    No rewind point and no pretrained weights. Where there were some, whatever was kept as they
    had it must train too, or random weights stay as they are for ever: frozen stages, norms
    without gradient or in eval mode, learning rates of 0. ``zero_init_residual`` stays: from
    scratch it is usual (Goyal et al. 2017), once its norms can learn to leave 0.

    Returns:
        bool: Whether there were any pretrained weights.

    Raises:
        UserError: A hook freezes weights.
    """
    cfg.load_from, loaded, cfg.resume = None, cfg.get('load_from'), False
    if not remove_pretrained(cfg.model) and not loaded:
        return False
    _unfreeze(cfg.model)
    paramwise = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
    for rule in (paramwise.get('custom_keys') or {}).values():
        if rule.get('lr_mult') == 0:
            rule['lr_mult'] = 1.0
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    freezing = [_name(hook) for hook in hooks if 'freez' in _name(hook).lower()]
    if freezing:
        raise UserError(f"control='fresh_weights' takes pretraining away, but {freezing[0]} keeps "
                        'weights as they begin: random. Leave that hook out.')
    return True


def check_afresh(cfg: Config, build: Callable[[Config], nn.Module]) -> None:
    """Raise a UserError unless the fresh model can train as a whole.

    Args:
        cfg: The lottery's config; it is not changed.
        build: Makes the model of a config, without weights.
    """
    fresh = copy.deepcopy(cfg)
    learnt = start_afresh(fresh)
    rest = list(_named(fresh.model, 'model'))
    if rest:
        raise UserError(
            f"control='fresh_weights' starts with nothing learnt, but {rest[0][0]} is "
            f'{rest[0][1]!r}, which brings learnt weights: set it to None where the model can do '
            "without, or take control='random_mask', which keeps the weights.")
    if not learnt:
        return
    frozen = _fixed(build(fresh))
    if frozen:
        raise UserError(
            f"control='fresh_weights' takes pretraining away, but {len(frozen)} parameters do not "
            f'train, the first is {frozen[0]}. Without any weights, nothing may stay fixed at its '
            'random start: say in the config that its frozen stages and norms train.')


def remove_pretrained(node: Any) -> bool:
    """Remove pretrained weights from a model's config, at any depth and in place.

    Returns:
        bool: Whether there were any.
    """
    found = False
    if isinstance(node, dict):
        init = node.get('init_cfg')
        if isinstance(init, dict) and _is_pretrained(init):
            node['init_cfg'], found = None, True
        elif isinstance(init, (list, tuple)):
            kept = [i for i in init if not _is_pretrained(i)]
            found = len(kept) < len(init)
            node['init_cfg'] = kept
        if isinstance(node.get('pretrained'), str):
            node['pretrained'], found = None, True
        elif node.get('pretrained') is True:    # timm's
            node['pretrained'], found = False, True
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list, tuple)):
            found |= remove_pretrained(child)
    return found


def _unfreeze(node: Any) -> None:
    """Let all train that a model's config keeps fixed, at any depth and in place."""
    if isinstance(node, dict):
        for key, value in list(node.items()):
            if key in ('norm_eval', 'bn_eval') and value is True:
                node[key] = False
            elif key == 'requires_grad' and value is False:
                node[key] = True
            elif re.match(r'(freeze|frozen)', key):
                if isinstance(value, bool):
                    node[key] = False
                elif isinstance(value, int):
                    node[key] = 0 if key == 'freeze_at' else -1
                elif isinstance(value, (list, tuple)):
                    node[key] = []
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list, tuple)):
            _unfreeze(child)


def _named(node: Any, where: str) -> Iterator[Tuple[str, Any]]:
    """Settings that still bring something learnt: their dotted key and value."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        here = f'{where}.{key}'
        if isinstance(value, str) and value and (
                _LEARNT_VALUE.search(value) or _LEARNT_KEY.search(str(key))):
            yield here, value
        elif isinstance(value, dict) and str(key) in ('language_model', 'text_encoder'):
            yield here, str(value.get('name') or value.get('type'))
        elif isinstance(value, bool) and value and _LEARNT_KEY.search(str(key)) and (
                key not in _NOT_LEARNT):
            yield here, value
        elif isinstance(value, (dict, list, tuple)):
            yield from _named(value, here)


def _fixed(model: nn.Module) -> List[str]:
    """Weights that could be pruned, and those of norms, that get no gradient."""
    model = bare_model(model)
    model.train()       # backbones freeze their stages here
    norms = {f'{name}.{key}' for name, module in model.named_modules()
             if isinstance(module, (_NormBase, nn.GroupNorm, nn.LayerNorm))
             for key, _ in module.named_parameters(recurse=False)}
    judged = {*norms, *prunable(model)}
    return [name for name, param in model.named_parameters()
            if not param.requires_grad and name in judged]


def _is_pretrained(init: Mapping[str, Any]) -> bool:
    # MMDetection's PVT needs no type beside a checkpoint.
    return (name_of(init.get('type')) in ('Pretrained', 'PretrainedInit')
            or init.get('checkpoint') is not None)


def _name(hook: Any) -> str:
    return name_of(hook.get('type') if isinstance(hook, dict) else type(hook))
