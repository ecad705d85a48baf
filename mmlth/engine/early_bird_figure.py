"""How candidate masks approach the final one, drawn."""
from typing import Any, Mapping, Sequence

from mmlth.core import early_bird
from mmlth.core.similarity import MEASURED
from mmlth.report import Figure, Series


def early_bird_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The agreement of early masks with the final one (the paper, Fig. 2f).

    Args:
        rows: From :func:`mmlth.core.early_bird.curve`; those that an older version wrote have
            nothing of the pruned.
    """
    at = [row['iteration'] for row in rows]
    lines = {f'{of}, {label}': f'{key}{early_bird.suffix(of)}' for of in MEASURED
             for label, key in (('with the final mask', 'iou_final'),
                                ('with the mask before', 'iou_previous'),
                                ('chance, random masks', 'chance'))}
    return Figure(
        'early_bird', 'lines', 'Masks drawn in round 0.', 'iteration', 'IoU',
        [Series(label, at, [row[key] for row in rows]) for label, key in lines.items()
         if key in rows[0]])
