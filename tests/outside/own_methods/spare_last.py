"""An allocation: the last layer stays dense, the others have one threshold."""
from dataclasses import replace

import torch

from mmlth.core import allocation, keep_highest
from mmlth.core.errors import UserError
from mmlth.registry import ALLOCATIONS


@ALLOCATIONS.register_module()
@allocation(exact='scope')
def spare_last(scores, sparsity, floor):
    *names, last = scores.tensors
    others = replace(scores, tensors={name: scores.tensors[name] for name in names})
    prune = round(sparsity * scores.numel())
    if prune > others.numel():
        raise UserError(f'without {last} there are not {prune} weights to prune')
    return {**keep_highest(others, prune),
            last: torch.ones_like(scores.tensors[last], dtype=torch.bool)}
