"""Which runs have the same network: of one base, a setting may make it deeper or freeze less."""
import hashlib
import json
from typing import Any, Mapping

from mmengine.config import Config

from mmlth.analysis.found.labels import class_names
from mmlth.engine.chain.same_training import plain_config

_WEIGHTS = {'init_cfg', 'pretrained'}       # which it starts from: as large and as fast


def network_of(cfg: Mapping[str, Any]) -> str:
    """Equal for configs with the same model and batch, whatever weights they start from.

    Args:
        cfg: A run's config, or the one in a ``lottery.json``.
    """
    loader = cfg.get('train_dataloader') or {}
    found = plain_config(Config(dict(
        model=cfg.get('model'), batch_size=loader.get('batch_size'))))
    text = json.dumps(_without_weights(class_names(found)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _without_weights(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _without_weights(v) for k, v in node.items() if k not in _WEIGHTS}
    return [_without_weights(value) for value in node] if isinstance(node, list) else node
