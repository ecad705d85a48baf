"""When a result of ours may stand beside one of the paper's."""
import json
from typing import Any, Dict, List, Optional

from mmlth import paper
from mmlth.metrics import DETECTION, KEYPOINTS, SEGMENTATION, Metric

from ..found.labels import DIRECT, IMAGENET
from .groups import Cell, Group

# Model and data -> the tasks for which the paper used it. (Keypoint R-CNN finds boxes too, but
# of persons alone.)
_MODELS = {('Faster R-CNN', 'VOC'): (DETECTION,),
           ('Mask R-CNN', 'COCO'): (DETECTION, SEGMENTATION),
           ('Keypoint R-CNN', 'COCO'): (KEYPOINTS,)}
_BACKBONES = {'R18': 'resnet18', 'R50': 'resnet50'}
NOTE = ('The paper\'s numbers stand beside ours where the model, the data set and what was pruned '
        'are the same. Its batch size, learning rate and length of training are not all known: '
        'compare the column of iterations.')


_COLUMNS = {'paper_network_sparsity': 'paper: network sparsity (%)', 'paper_map': 'paper: mAP',
            'paper_std': 'paper: σ', 'paper_ap50': 'paper: AP50'}


def paper_cells(found: Optional[paper.Row]) -> Dict[str, Optional[float]]:
    """A row of the paper as cells of ours."""
    if found is None:
        return dict.fromkeys(_COLUMNS)
    return dict(paper_network_sparsity=found.network_sparsity, paper_map=found.map,
                paper_std=found.std, paper_ap50=found.ap50)


def paper_columns(rows: List[Dict[str, Any]]) -> Dict[str, str]:
    """Headings of :func:`paper_cells`, where any row has a number of the paper."""
    return {key: title for key, title in _COLUMNS.items()
            if any(row[key] is not None for row in rows)}


def same_as_paper(group: Group, metric: Metric) -> Optional[Dict[str, str]]:
    """``task``, ``dataset`` and ``backbone`` as the paper's rows have them.

    None if the paper has no such model on such data, or the metric is not what it measured.
    """
    model, _, backbone = group.model.rpartition(' ')
    if backbone not in _BACKBONES or not metric.at_50 or (
            metric.task not in _MODELS.get((model, group.data), ())):
        return None
    cfg = group.runs[0].cfg
    if group.data == 'VOC':
        roi_head = cfg.model.get('roi_head') or {}
        data = json.dumps(cfg.train_dataloader.to_dict(), default=str)
        if not roi_head.get('shared_head') or '2012' in data or '2007' not in data:
            return None     # the paper's is C4, trained on VOC 2007 alone
    task = 'keypoint' if metric.task == KEYPOINTS else metric.task
    return dict(task=task, dataset=group.data.lower(), backbone=_BACKBONES[backbone])


def source_of(cell: Cell) -> Optional[str]:
    """Where a ticket comes from in the paper's words; None if the paper had no such source."""
    if cell.method == IMAGENET:
        return 'imagenet'
    if cell.method in ('ticket of Mask R-CNN R18', 'ticket of Keypoint R-CNN R18'):
        return 'keypoint' if 'Keypoint' in cell.method else 'detection'
    return None


def is_plain(cell: Cell) -> bool:
    """Whether it is what the paper mostly does: direct, global magnitude pruning, one round."""
    settings = cell.settings
    return cell.method == DIRECT and settings['rounds'] == 1 and not settings['floor'] and (
        settings['at'] in (None, 'end'))
