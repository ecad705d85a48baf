"""Candidate masks drawn while training, and how they approach the final one."""
import csv
from pathlib import Path
from typing import Any, Dict, List, Mapping

from torch import Tensor

from . import paths
from .files import AnyPath, whole_file
from .similarity import MEASURED, chance_iou, group_iou, iou
from .ticket import Ticket


def candidate_path(folder: AnyPath, iteration: int) -> Path:
    """Where the candidate drawn after ``iteration`` iterations is kept."""
    return Path(folder) / f'candidate_{iteration:08d}.safetensors'


def candidates(folder: AnyPath) -> Dict[int, Path]:
    """The candidates of a training: iteration -> file, in order."""
    found = sorted(Path(folder).glob('candidate_*.safetensors'))
    return {int(path.stem.split('_')[1]): path for path in found}


def curve(folder: AnyPath, final: Mapping[str, Tensor]) -> List[Dict[str, Any]]:
    """One row per candidate (the paper, Fig. 2f).

    Args:
        folder: Where the candidates are.
        final: The mask that was drawn at the end.

    Returns:
        list[dict]: ``iteration``, ``iou_previous`` (with the candidate before; None for the
        first), ``iou_final``, ``chance`` and ``iou_final/GROUP``, all of the survivors; and the
        same of the pruned as ``iou_previous_pruned``, ``iou_final_pruned``, ``chance_pruned`` and
        ``iou_final_pruned/GROUP``.
    """
    rows, previous = [], None
    for iteration, path in candidates(folder).items():
        mask = Ticket.load(path).mask
        row: Dict[str, Any] = dict(iteration=iteration)
        for of in MEASURED:
            end = suffix(of)
            row[f'iou_previous{end}'] = None if previous is None else iou(mask, previous, of)
            row[f'iou_final{end}'] = iou(mask, final, of)
            row[f'chance{end}'] = chance_iou(mask, final, of)
            row.update({f'iou_final{end}/{group}': value
                        for group, value in group_iou(mask, final, of).items()})
        rows.append(row)
        previous = mask
    return rows


def suffix(of: str) -> str:
    """What the names of numbers of the survivors, or of the pruned, end with."""
    return '' if of == 'survivors' else f'_{of}'


def write_curve(folder: AnyPath, rows: List[Dict[str, Any]]) -> None:
    """Write the curve as CSV."""
    folder = Path(folder)
    with whole_file(folder / paths.EARLY_BIRD_CSV) as part:
        with open(part, 'w', newline='', encoding='utf-8') as file:
            # Groups may differ: a hook may have frozen some.
            names = dict.fromkeys(name for row in rows for name in row)
            writer = csv.DictWriter(file, fieldnames=list(names))
            writer.writeheader()
            writer.writerows(rows)
