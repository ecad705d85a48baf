"""Candidate masks drawn while training, and how they approach the final one."""
import csv
from pathlib import Path
from typing import Any, Dict, List, Mapping

from torch import Tensor

from . import paths
from .files import whole_file
from .similarity import chance_iou, group_iou, iou
from .ticket import Ticket


def candidate_path(folder, iteration: int) -> Path:
    """Where the candidate drawn after ``iteration`` iterations is kept."""
    return Path(folder) / f'candidate_{iteration:08d}.safetensors'


def candidates(folder) -> Dict[int, Path]:
    """The candidates of a training: iteration -> file, in order."""
    found = sorted(Path(folder).glob('candidate_*.safetensors'))
    return {int(path.stem.split('_')[1]): path for path in found}


def curve(folder, final: Mapping[str, Tensor]) -> List[Dict[str, Any]]:
    """One row per candidate (the paper, Fig. 2f).

    Args:
        folder: Where the candidates are.
        final: The mask that was drawn at the end.

    Returns:
        list[dict]: ``iteration``, ``iou_previous`` (with the candidate before; None for the
        first), ``iou_final``, ``chance`` and ``iou_final/GROUP``.
    """
    rows, previous = [], None
    for iteration, path in candidates(folder).items():
        mask = Ticket.load(path).mask
        rows.append(dict(
            iteration=iteration,
            iou_previous=None if previous is None else iou(mask, previous),
            iou_final=iou(mask, final), chance=chance_iou(mask, final),
            **{f'iou_final/{group}': value
               for group, value in group_iou(mask, final).items()}))
        previous = mask
    return rows


def write_curve(folder, rows: List[Dict[str, Any]]) -> None:
    """Write the curve as CSV."""
    folder = Path(folder)
    with whole_file(folder / paths.EARLY_BIRD_CSV) as part:
        with open(part, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
