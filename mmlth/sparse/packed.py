"""A trained ticket in one small file: masks as bits, surviving values, all else of the model."""
from typing import Any, ClassVar, Dict, Mapping, Tuple

import torch
from torch import Tensor

from mmlth.core import mask as masks
from mmlth.core.ticket import Ticket


class PackedModel(Ticket):
    """As a ticket on disk, with trained weights.

    ``meta`` has the config's text (``config``), the class names and the rest of the data set's
    meta (``dataset_meta``), what modules keep beside tensors (``extra_state``) and the names of
    the weights whose values are kept in float16 (``half``).
    """
    FORMAT: ClassVar[str] = 'mmlth.model'
    KIND: ClassVar[str] = 'packed model'
    ORIGIN: ClassVar[str] = 'tools/pack.py makes one'
    AGAIN: ClassVar[str] = 'pack'

    @classmethod
    def pack(cls, weights: Mapping[str, Tensor], state: Mapping[str, Tensor],
             meta: Mapping[str, Any], half: bool = False) -> 'PackedModel':
        """Leave out the zeros.

        Args:
            weights: Those that may have zeros, by name. One that has so few of them that a mask
                is no gain is kept whole.
            state: All tensors of the model.
            meta: See above, without ``half``.
            half: Keep the values of these weights in float16: rounded, and at most 65504 in size.
                Default: False, exactly.
        """
        mask: Dict[str, Tensor] = {}
        for name, weight in weights.items():
            keep = (weight.detach() != 0) | torch.signbit(weight.detach())     # -0 is a value
            if 8 * int((~keep).sum()) * weight.element_size() > weight.numel():
                mask[name] = keep
        halved = [name for name in weights if half and state[name].dtype == torch.float32]
        limit = torch.finfo(torch.float16).max
        kept = {name: tensor.clamp(-limit, limit).half() if name in halved else tensor
                for name, tensor in state.items()}
        return cls(mask, kept, dict(meta, half=halved))

    def _encode(self) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """Masks deflated where that is shorter: global pruning leaves 2 % of some layers."""
        tensors, header = super()._encode()
        small = dict(tensors)
        for name in self.mask:
            bits = tensors[f'mask/{name}']
            deflated = masks.deflate(bits)
            if len(deflated) < len(bits):
                del small[f'mask/{name}']
                small[f'deflated/{name}'] = deflated
        stored = sum(tensor.numel() * tensor.element_size() for tensor in small.values())
        readable = masks.in_proportion(masks.size(self.mask), stored)
        return small if readable else tensors, header

    def weights(self) -> Dict[str, Tensor]:
        """The model's tensors in full shape and in the types that they had."""
        halved = set(self.meta['half'])
        return {name: tensor.float() if name in halved else tensor
                for name, tensor in self.state.items()}
