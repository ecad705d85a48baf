"""What the settings of a run are beside those of others, and whether they are equal."""
import json
from typing import Any, Dict, Sequence

from ..found.run import Run


def shared_settings(run: Run) -> Dict[str, Any]:
    """Those that runs of several seeds have in common; see :class:`.groups.Cell`."""
    settings = run.own_settings
    transfer = settings['transfer'] or {}
    # Its sparsity is seen in the ticket; each seed may have a source of its own.
    settings.update(transfer=transfer.get('label'), mapping=transfer.get('mapping'),
                    masks_only=not transfer.get('weights', True))
    sparsities = settings['sparsity'] if isinstance(settings['sparsity'], list) else []
    settings.update(sparsities_before=sparsities[:-1] or None)
    if sparsities:
        settings['sparsity'] = sparsities[-1]
    return settings


def key_of(settings: Dict[str, Any], without: Sequence[str] = ()) -> str:
    """Equal for equal settings, apart from those in ``without``."""
    return json.dumps({k: v for k, v in settings.items() if k not in without},
                      sort_keys=True, default=str)
