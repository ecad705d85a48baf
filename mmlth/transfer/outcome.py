"""What became of each tensor of a source, and the paper's number beside ours."""
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Union

from torch import Tensor, nn

from mmlth.core import mask as masks
from mmlth.paper import Row, find

from .mapping import Rule

# The paper's models, told from their class and their number of classes: (task, data set).
_MODELS = {('MaskRCNN', 80, False): ('detection', 'coco'),
           ('KeypointRCNN', 1, False): ('keypoint', 'coco'),
           ('FasterRCNN', 20, True): ('detection', 'voc')}     # C4: with a shared head
_TABLES = {'backbone': (1, 2), 'till_heads': (4,)}     # of the paper, by mapping


@dataclass
class Outcome:
    """What became of each tensor.

    Args:
        origin: Where the masks come from, in words.
        matched: Source name -> target name.
        left_out: Names of the source that have no place in the target.
        missing: Names of the target, in modules that received something, that got nothing.
        mismatched: Target name -> (source's shape, target's shape); not transferred.
        masked: How many masks were transferred.
        weights: Whether weights were transferred, not only masks.
        scope_sparsity: Fraction of zeros in the masked parameters of the target.
        network_sparsity: Fraction of zeros over all its parameters.
        paper: The paper's row of this transfer. Default: None, it has none.
    """
    origin: str
    matched: Dict[str, str]
    left_out: List[str]
    missing: List[str]
    mismatched: Dict[str, tuple]
    masked: int
    weights: bool
    scope_sparsity: float
    network_sparsity: float
    paper: Optional[Row] = None

    def to_text(self) -> str:
        """For people."""
        what = 'masks and weights' if self.weights else 'masks only'
        beside = '' if self.paper is None else (
            f' (the paper, Table {self.paper.table}: {self.paper.network_sparsity:.2f}%)')
        lines = [f'{what}: {len(self.matched)} tensors matched, {self.masked} of them with a mask '
                 f'({self.origin})',
                 f'scope sparsity {self.scope_sparsity:.2%}, network sparsity '
                 f'{self.network_sparsity:.2%}{beside}']
        for label, names in (
                ('left out, no place in the target', self.left_out),
                ('in the target, but not in the source', self.missing),
                ('other shape, left out', [f'{n} ({a} in the source, {b} in the target)'
                                           for n, (a, b) in self.mismatched.items()])):
            if names:
                lines.append(f'{label}: {len(names)}')
                lines += [f'    {name}' for name in names]
        return '\n'.join(lines)


def paper_row(model: nn.Module, mapping: Union[str, Sequence[Rule]], names: List[str],
              mask: Mapping[str, Tensor]) -> Optional[Row]:
    """The paper's row for this transfer, None if it has none.

    Args:
        model: The target.
        mapping: ``'backbone'`` (Tables 1 and 2, from ImageNet) or ``'till_heads'`` (Table 4).
        names: The source's names, which tell its task.
        mask: The masks whose sparsity is the paper's prune percentage.
    """
    roi_head, backbone = getattr(model, 'roi_head', None), getattr(model, 'backbone', None)
    key = (type(model).__name__,
           getattr(getattr(roi_head, 'bbox_head', None), 'num_classes', None),
           bool(getattr(roi_head, 'with_shared_head', False)))
    source = _task_of(names)
    tables = _TABLES.get(mapping, ()) if isinstance(mapping, str) else ()
    if key not in _MODELS or not masks.size(mask):
        return None
    task, dataset = _MODELS[key]
    rows = find(task=task, dataset=dataset, source=source,
                backbone=f'resnet{getattr(backbone, "depth", None)}',
                prune=round(100 * masks.pruned(mask) / masks.size(mask)))
    return next((row for row in rows if row.table in tables), None)


def _task_of(names: List[str]) -> Optional[str]:
    if any('keypoint_head.' in name for name in names):
        return 'keypoint'
    if any('mask_head.' in name for name in names):
        return 'detection'
    return None if any('rpn_head.' in name for name in names) else 'imagenet'
