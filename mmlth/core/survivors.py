"""The surviving entries of a few tensors, read and written together.

Small layers share a group, so that an update costs few kernels; what is held or converted
beside the tensors is bounded by a group of small layers, or by a chunk of a large one.
"""
from typing import Dict, List, Sequence, Tuple

import torch
from torch import Tensor

GROUP = {'cpu': 1 << 15}    # weights; there calls are cheap
GROUP_ELSEWHERE = 1 << 22   # weights; large enough for one kernel to pay


class Survivors:
    """The positions of the surviving entries in some tensors, taken one after the other.

    They are 32-bit, 4 bytes a survivor; 16-bit where these fit, 64-bit where they must be.

    Args:
        masks: One BoolTensor for each tensor, all on its device.
    """

    def __init__(self, masks: Sequence[Tensor]):
        self.shapes = [keep.shape for keep in masks]
        self.counts = [int(torch.count_nonzero(keep)) for keep in masks]
        self.size = sum(keep.numel() for keep in masks)
        kind = next(kind for kind in (torch.int16, torch.int32, torch.int64)
                    if self.size - 1 <= torch.iinfo(kind).max)
        self.index = torch.empty(sum(self.counts), dtype=kind, device=masks[0].device)
        start = before = 0
        for keep, count in zip(masks, self.counts):
            found = keep.reshape(-1).nonzero().view(-1)
            self.index[before:before + count] = found.add_(start)
            start, before = start + keep.numel(), before + count

    def read(self, tensors: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """The surviving entries of each tensor, 1-D; a new tensor of which these are views."""
        rows = [tensor.detach().reshape(-1) for tensor in tensors]
        flat = rows[0] if len(rows) == 1 else torch.cat(rows)
        index = self.index.int() if self.index.dtype == torch.int16 else self.index
        return torch.index_select(flat, 0, index).split(self.counts)

    def write(self, values: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
        """Set the surviving entries of each tensor to its values, all others to 0."""
        whole = values[0] if len(values) == 1 else torch.cat(list(values))
        if len(tensors) == 1 and tensors[0].is_contiguous():
            self._spread(whole, tensors[0].detach().view(-1).zero_())
            return
        flat = self._spread(whole, whole.new_zeros(self.size))
        parts = flat.split([shape.numel() for shape in self.shapes])
        _copy([tensor.detach() for tensor in tensors],
              [part.view(shape) for part, shape in zip(parts, self.shapes)])

    def masks(self) -> List[Tensor]:
        """The masks, as they were given."""
        flat = torch.zeros(self.size, dtype=torch.bool, device=self.index.device)
        self._spread(flat.new_ones(()).expand(len(self.index)), flat)
        parts = flat.split([shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes)]

    def _spread(self, values: Tensor, flat: Tensor) -> Tensor:
        """Scatter, which takes half the time of index_copy_, but 64-bit positions alone."""
        chunk = _limit(flat.device)
        for index, part in zip(self.index.split(chunk), values.split(chunk)):
            flat.scatter_(0, index.long(), part)
        return flat


def grouped(tensors: Sequence[Tensor]) -> List[List[int]]:
    """Numbers of tensors that are best read together; those with the fewest entries first.

    A group holds tensors of one kind and device, and more than one only if they are small.
    """
    found: List[List[int]] = []
    filled: Dict[tuple, Tuple[List[int], int]] = {}
    for i in sorted(range(len(tensors)), key=lambda i: tensors[i].numel()):
        key = (tensors[i].dtype, tensors[i].device)
        group, size = filled.get(key, ([], 0))
        if not group or size + tensors[i].numel() > _limit(tensors[i].device):
            group, size = [], 0
            found.append(group)
        group.append(i)
        filled[key] = group, size + tensors[i].numel()
    return found


def _limit(device: torch.device) -> int:
    return GROUP.get(device.type, GROUP_ELSEWHERE)


def _copy(targets: List[Tensor], sources: List[Tensor]) -> None:
    if hasattr(torch, '_foreach_copy_'):    # torch 2.1
        torch._foreach_copy_(targets, sources)
        return
    for target, source in zip(targets, sources):
        target.copy_(source)
