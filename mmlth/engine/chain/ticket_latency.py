"""How fast a lottery's tickets are on the CPU, measured once at its end."""
import logging
from typing import Any, Dict, Optional

from mmengine.config import Config
from mmengine.logging import print_log

from mmlth.core.files import AnyPath
from mmlth.sparse import ops

from ..costs import first_validation_batch
from ..latency import latency
from ..pruned_model import pruned_model
from .data_paths import leaves

THREADS, REPEATS = 1, 3


def ticket_latency(cfg: Config, checkpoint: AnyPath) -> Optional[Dict[str, Any]]:
    """Milliseconds of a ticket on the first validation image, dense and sparse.

    Args:
        cfg: The lottery's.
        checkpoint: The round's ``final.pth``.

    Returns:
        dict: ``dense_ms``, ``sparse_ms``, ``speedup`` and ``threads``, see
        :func:`~mmlth.engine.latency.latency`. None where the model takes no images, no compiler
        has made the kernels, or it does not run on the CPU; but for the first a warning says why.
    """
    loader = cfg.get('val_dataloader') or {}
    if not any(leaf.get('pipeline') for leaf in leaves(loader.get('dataset'))):
        return None
    why = ops.unavailable()
    if why is None:
        try:
            model, batch = pruned_model(cfg, str(checkpoint)), first_validation_batch(cfg)
            found = latency(model, batch, THREADS, REPEATS, compiled=False)
            return {key: found[key] for key in ('dense_ms', 'sparse_ms', 'speedup', 'threads')}
        except Exception as error:      # whatever a model meets on the CPU
            why = f'{type(error).__name__}: {str(error)[:200]}'
    print_log(f'No latency of {checkpoint}: {why}', 'current', logging.WARNING)
    return None
