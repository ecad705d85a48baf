"""A ticket: a mask plus the weights it starts from, in one safetensors file."""
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Dict, Mapping, Tuple, Type, TypeVar

import safetensors
import torch
from safetensors.torch import save, save_file
from torch import Tensor

from . import mask as masks
from .errors import UserError
from .files import AnyPath, whole_file

VERSION = '1'
Kind = TypeVar('Kind', bound='Ticket')
_RAW = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass
class Ticket:
    """A mask and the start weights, as saved and loaded.

    On disk the mask is bit-packed, of a masked weight only the surviving entries are
    stored (1-D, in the order of their flat index), and every other tensor of the model
    is stored whole.

    Args:
        mask: ``{parameter name: BoolTensor}``, True where the weight survives.
        state: The model's parameters and buffers to start from, in full shape, pruned
            entries 0. Empty for a ticket that is only a mask.
        meta: Plain values that say where the ticket comes from (source config and
            checkpoint, sparsity, scope, seed).
    """
    FORMAT: ClassVar[str] = 'mmlth.ticket'
    KIND: ClassVar[str] = 'ticket'
    ORIGIN: ClassVar[str] = 'a PruneHook or a LotteryRunner draws one'
    AGAIN: ClassVar[str] = 'draw'

    mask: Dict[str, Tensor]
    state: Dict[str, Tensor] = field(default_factory=dict)
    meta: Dict[str, Any] = field(default_factory=dict)

    @classmethod
    def draw(cls: Type[Kind], mask: Mapping[str, Tensor], state: Mapping[str, Tensor],
             meta: Mapping[str, Any], source: str) -> Kind:
        """The ticket of ``mask`` that starts from ``state``, whose tensors are copied.

        ``source`` names the origin of ``state`` in error messages.
        """
        if state:
            masks.check_fits(mask, state, source)
        start = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
        kept = {name: keep.detach().cpu() for name, keep in mask.items()}
        if start:
            masks.apply(kept, start)
        return cls(kept, start, dict(meta))

    def save(self, path: AnyPath) -> None:
        """Write the ticket to ``path``, whole or not at all.

        Raises:
            UserError: It cannot be written, or has a tensor of a type that no ticket holds.
        """
        check_types(self.state, str(path))
        tensors, header = self._encode()
        header['meta'] = json.dumps(self.meta, sort_keys=True)
        header['sha256'] = _digest(tensors, header)
        with whole_file(path) as part:
            try:
                save_file(tensors, str(part), metadata=header)
            except safetensors.SafetensorError as error:    # the disk is full, for one
                raise OSError(str(error)) from None

    def digest(self) -> str:
        """SHA-256 of the mask and the start weights. Where they come from does not count."""
        return _digest(*self._encode())

    def _encode(self) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """The tensors of the file, and its header but for what is said about them."""
        tensors, shapes = {}, {}
        for name, keep in self.mask.items():
            tensors[f'mask/{name}'] = masks.pack(keep)
            shapes[name] = list(keep.shape)
        for name, tensor in self.state.items():
            if name in self.mask:
                keep = self.mask[name].cpu().reshape(-1).nonzero().view(-1)
                values = tensor.detach().cpu().reshape(-1)
                tensors[f'kept/{name}'] = _raw(values)[keep].view(values.dtype)
            else:
                tensors[f'state/{name}'] = tensor.detach().cpu().contiguous()
        return tensors, dict(format=self.FORMAT, version=VERSION, shapes=json.dumps(shapes))

    @classmethod
    def load(cls: Type[Kind], path: AnyPath) -> Kind:
        """Read a file of this kind. No pickle is involved.

        Raises:
            UserError: The file is missing, truncated, altered, of another kind, or may not be read.
        """
        path = Path(path)
        try:
            if not path.is_file():
                raise UserError(f'there is no {cls.KIND} {path}; {cls.ORIGIN}')
            open(path, 'rb').close()    # safetensors calls missing whatever it may not open
            with safetensors.safe_open(str(path), 'pt') as file:
                header = file.metadata() or {}
                if header.get('format') != cls.FORMAT:
                    raise ValueError(f'it is a safetensors file, but no {cls.KIND} of mmlth')
                if header.get('version') != VERSION:
                    raise ValueError(
                        f'it has format version {header.get("version")!r}, this mmlth '
                        f'reads {VERSION!r}')
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            if header.get('sha256') != _digest(tensors, header):
                raise ValueError('its content does not match its checksum')
            return cls(*_decode(tensors, header))
        except UserError:
            raise
        except OSError as error:
            raise UserError(f'{path} cannot be opened: {error.strerror or error}') from None
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError,
                AttributeError, RecursionError, NotImplementedError) as error:
            raise UserError(
                f'{path} cannot be read as a {cls.KIND}: {str(error):.300}. It may be damaged or '
                f'incompletely copied; {cls.AGAIN} or copy it again.') from None


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    sha = hashlib.sha256()
    for key in ('format', 'version', 'shapes', 'meta'):
        sha.update(f'{key}={header.get(key)}\0'.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\0'.encode())
        sha.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data
                   if tensor.numel() else b'')
    return sha.hexdigest()


def check_types(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise a UserError if a tensor is of a type that a ticket cannot hold, complex128 for one."""
    kinds = {tensor.dtype: name for name, tensor in tensors.items()}
    for dtype, name in kinds.items():
        try:
            save({name: torch.empty(0, dtype=dtype)})
        except KeyError:        # safetensors' own tables tell, which grow
            raise UserError(f'{source}: {name} is of {dtype}, which safetensors files cannot hold; '
                            'keep it in another type') from None


def check_shape(name: str, shape: Any) -> None:
    """Raise a ValueError unless ``shape`` is a list of sizes."""
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f'the shape {str(shape)[:60]} of {name} is malformed')


def _decode(tensors: Mapping[str, Tensor], header: Mapping[str, str]
            ) -> Tuple[Dict[str, Tensor], Dict[str, Tensor], Dict[str, Any]]:
    """Mask, state and meta. Shapes are checked against the bytes there before memory is taken."""
    shapes, meta = json.loads(header['shapes']), json.loads(header['meta'])
    if not isinstance(shapes, dict) or not isinstance(meta, dict):
        raise ValueError('its header is malformed')
    mask, state = {}, {}
    for name, shape in shapes.items():
        check_shape(name, shape)
    weights = sum(map(math.prod, shapes.values()))
    stored = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if not masks.in_proportion(weights, stored):
        raise ValueError(f'it has masks of {weights} weights in {stored} bytes')
    for name, shape in shapes.items():
        deflated = tensors.get(f'deflated/{name}')
        bits = tensors[f'mask/{name}'] if deflated is None else masks.inflate(deflated, shape)
        mask[name] = masks.unpack(bits, shape)
    for key, tensor in tensors.items():
        kind, _, name = key.partition('/')
        if kind == 'state':
            if name in mask:    # pruned entries of it need not be 0
                raise ValueError(f'{name} has a mask, but is stored whole')
            state[name] = tensor
        elif kind == 'kept':
            state[name] = _spread(name, tensor, mask[name])
        elif kind not in ('mask', 'deflated') or name not in shapes:
            raise ValueError(f'it holds an unknown entry {key!r}')
    return mask, state, meta


def _spread(name: str, values: Tensor, keep: Tensor) -> Tensor:
    """The surviving entries in full shape, all others 0."""
    survivors = int(torch.count_nonzero(keep))
    if values.dim() != 1 or len(values) != survivors:
        raise ValueError(f'{name} has {values.numel()} start weights for {survivors} surviving '
                         'entries')
    raw = _raw(values)
    full = torch.zeros(keep.numel(), dtype=raw.dtype)
    full.index_copy_(0, keep.view(-1).nonzero().view(-1), raw)
    return full.view(values.dtype).view(keep.shape)


def _raw(tensor: Tensor) -> Tensor:
    """The same bytes as integers: PyTorch picks and places entries of few other types."""
    return tensor.view(_RAW[tensor.element_size()])
