"""The multiply-adds of PyTorch's operators: convolutions, matrix products, fused attention."""
from typing import Any, Optional, Sequence, Tuple

from torch import Tensor

# The place of the first of the two matrices among the arguments.
_MATRICES = {'mm': 0, 'bmm': 0, 'mv': 0, 'dot': 0, 'vdot': 0, 'addmm': 1, 'addmv': 1, 'addbmm': 1,
             'baddbmm': 1, '_addmm_activation': 1}
_CONVOLUTIONS = ('convolution', '_convolution')
_ATTENTION = '_scaled_dot_product_'     # one for each kind of hardware


def product(name: str, args: Sequence[Any],
            result: Any) -> Optional[Tuple[int, Sequence[Tensor]]]:
    """The multiply-adds of one call, and the tensors that are multiplied.

    Args:
        name: The operator's, as ``'aten::mm'``.
        args: Its arguments.
        result: What it gave.

    Returns:
        tuple[int, sequence]: None if it is no product. Of grouped and transposed convolutions
        the number is exact up to the border: products with padding count.
    """
    kind, _, short = name.partition('::')
    short = short[:-1] if short.endswith('_') else short    # in place
    if kind != 'aten':
        return None
    if short in _MATRICES:
        first, second = args[_MATRICES[short]:][:2]
        return first.numel() * (second.shape[-1] if second.dim() > 1 else 1), (first, second)
    if short in _CONVOLUTIONS:
        inputs, weight, transposed = args[0], args[1], args[6]
        maps = inputs if transposed else result
        return maps.shape[0] * maps.shape[2:].numel() * weight.numel(), (inputs, weight)
    if short.startswith(_ATTENTION):
        query, key, value = args[:3]
        pairs = query.shape[:-1].numel() * key.shape[-2]
        return pairs * (query.shape[-1] + value.shape[-1]), (query, key, value)
    return None
