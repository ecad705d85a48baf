"""Unpickle data and nothing else: what a file asks to be run is not, on any version of torch.

``torch.load(weights_only=True)`` of torch < 2.6 knows no list of a user's own, and that of later
ones gives up the whole file for one name it does not know. Here the names of a table become what
the table says, and every other name an :class:`~mmlth.core.unknown.Unknown`, which can be called
and filled but does nothing. Handed to ``torch.load`` as its ``pickle_module``.
"""
import collections
import pickle
import pickletools
from types import SimpleNamespace
from typing import Any, Callable, ClassVar, Dict, List, Mapping, Optional, Tuple

import numpy as np
import torch

from .pickled_numpy import fill_array, plain_type, scalar, set_order
from .unknown import Unknown

# Other names of one module: Python 2's (protocol 2, which torch.save writes, has them), numpy 2's.
_MODULES = {'__builtin__': 'builtins', 'numpy._core.multiarray': 'numpy.core.multiarray'}
# Opcodes that make objects in ways that Python 3 never uses, or want bytes from elsewhere.
_NEVER = (pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER)


class _Opcodes(Dict[int, Callable[[Any], None]]):
    """What is called for each opcode."""

    def __missing__(self, code: int) -> Callable[[Any], None]:
        name = next((op.name for op in pickletools.opcodes if op.code == chr(code)), code)
        raise pickle.UnpicklingError(f'it has the opcode {name}, which is not read')


class Unpickler(pickle._Unpickler):     # C's fills whatever it is told to, classes too
    """Makes what :data:`_MAKERS` has, and fills what :data:`_FILLERS` has."""
    stack: List[Any]
    memo: Dict[int, Any]
    read: Callable[[int], bytes]
    records: ClassVar[Optional[Mapping[str, int]]] = None
    dispatch: ClassVar[_Opcodes] = _Opcodes(
        (code, function) for code, function in pickle._Unpickler.dispatch.items()
        if bytes([code]) not in _NEVER)

    def find_class(self, module: str, name: str) -> Any:
        """The maker of that name; torch's own subclass turns storages into their dtypes."""
        full = f'{_MODULES.get(module, module)}.{name}'
        value = getattr(torch, name, None) if module in ('torch', 'torch.storage') else None
        if isinstance(value, torch.dtype) or value is torch.UntypedStorage:     # never called
            return value
        return _MAKERS.get(full) or Unknown(full)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = make(self.stack[-1], arguments)

    def load_newobj_ex(self) -> None:
        """Made with keywords, which nothing in the table takes."""
        maker, _, _ = self.stack[-3:]
        if not isinstance(maker, Unknown):
            raise pickle.UnpicklingError(f'it calls a {type(maker).__name__} with keywords')
        self.stack[-3:] = [maker()]

    def load_bytearray8(self) -> None:
        """Unknown, as the other protocols have it; Python's takes memory before it looks."""
        self.read(int.from_bytes(self.read(8), 'little'))
        self.stack.append(Unknown('builtins.bytearray', made=True))

    def load_build(self) -> None:
        state, value = self.stack.pop(), self.stack[-1]
        for kind, fill in _FILLERS.items():
            if isinstance(value, kind):
                instead = fill(value, state)
                if instead is not None:
                    self._replace(value, instead)
                return
        raise pickle.UnpicklingError(f'it fills a {type(value).__name__}')

    def _replace(self, value: Any, instead: Unknown) -> None:
        """Also where it is noted for what comes later, which was just before its state."""
        self.stack[-1] = instead
        for key in reversed(self.memo):
            if self.memo[key] is value:
                self.memo[key] = instead
                return

    def load_binpersid(self) -> None:
        if self.records is not None:
            _check_stored(self.stack[-1], self.records)
        super().load_binpersid()    # type: ignore[misc]    # typeshed lacks it

    dispatch[pickle.BINPERSID[0]] = load_binpersid
    dispatch[pickle.REDUCE[0]] = dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.BUILD[0]] = load_build


def module(records: Optional[Mapping[str, int]] = None) -> SimpleNamespace:
    """What torch.load wants of a pickle module.

    Args:
        records: The bytes of each record of the file, if it is a zip file. Default: None.
    """
    kind = type('Unpickler', (Unpickler,), dict(records=records))
    return SimpleNamespace(__name__=__name__, Unpickler=kind,
                           load=lambda file, **options: kind(file, **options).load())


def make(maker: Any, arguments: Any) -> Any:
    """``maker(*arguments)``, if it is one of ours.

    Raises:
        UnpicklingError: It is not.
    """
    if not isinstance(maker, Unknown) and all(maker is not known for known in _MAKERS.values()):
        raise pickle.UnpicklingError(f'it calls a {type(maker).__name__}')
    if type(arguments) is not tuple:
        raise pickle.UnpicklingError(f'it calls with a {type(arguments).__name__}')
    return maker(*arguments)


def allow(name: str, maker: Callable,
          filled: Optional[Tuple[type, Callable[[Any, Any], Optional[Unknown]]]] = None) -> None:
    """Add to the table.

    Args:
        name: Module and name as files have them.
        maker: Called in its place. It must be harmless with any data for arguments.
        filled: The type of what it makes, and what is called with such an object and the state
            that the file has for it; what that returns, if not None, takes the object's place.
            Default: None, its state is not restored.
    """
    _MAKERS[name] = maker
    if filled is not None:
        kind, filler = filled
        _FILLERS[kind] = filler


def _check_stored(storage: Any, records: Mapping[str, int]) -> None:
    """Not all releases of torch look whether the file has as much of it as they read."""
    _, kind, key, _, count = storage
    size = 1 if kind is torch.UntypedStorage else torch._utils._element_size(kind.dtype)
    if not 0 <= count * size <= records.get(f'data/{key}', -1):
        raise pickle.UnpicklingError(f'it lacks the bytes of storage {key!r:.40}')


def _attribute(owner: Any, name: Any) -> Unknown:
    """Methods are pickled as getattr(class, name); nothing needs one of a file."""
    return Unknown(f'{getattr(owner, "__name__", type(owner).__name__)}.{name}')


def _latin1(text: str, encoding: str) -> bytes:
    """Protocol 2 has no bytes."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it encodes as {encoding!r:.40}')
    return text.encode(encoding)


def _as_tensor(function: Any, kind: Any, arguments: tuple, state: Any) -> torch.Tensor:
    """A tensor of a class of its own, or one with attributes, as an ordinary one."""
    return make(function, arguments)


def _versions(value: collections.OrderedDict, state: dict) -> None:
    """A state dict has those of its modules as an attribute, of which no hint knows."""
    if isinstance(state.get('_metadata'), dict):
        value._metadata = state['_metadata']    # type: ignore[attr-defined]


# Python, numpy and torch; ``allow`` adds to both tables.
_MAKERS: Dict[str, Callable] = {
    'collections.OrderedDict': collections.OrderedDict,
    'collections.Counter': collections.Counter,
    'collections.defaultdict': lambda factory=None, *content: dict(*content),
    'builtins.set': set,
    'builtins.frozenset': frozenset,
    'builtins.slice': slice,
    'builtins.complex': complex,
    'builtins.getattr': _attribute,
    '_codecs.encode': _latin1,
    'numpy.dtype': plain_type,
    'numpy.core.multiarray.scalar': scalar,
    'numpy.core.multiarray._reconstruct': lambda kind, shape, code: np.empty(0, np.int8),
    'torch.Size': torch.Size,
    'torch.device': torch.device,
    'torch.serialization._get_layout': torch.serialization._get_layout,
    'torch._tensor._rebuild_from_type_v2': _as_tensor,
    'torch._utils._rebuild_parameter_with_state': lambda data, requires_grad, hooks, state: (
        torch._utils._rebuild_parameter(data, requires_grad, collections.OrderedDict())),
    **{f'torch._utils.{name}': getattr(torch._utils, name) for name in (
        '_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_tensor_v3', '_rebuild_parameter',
        '_rebuild_sparse_tensor', '_rebuild_meta_tensor_no_storage')
       if hasattr(torch._utils, name)}}
_FILLERS: Dict[type, Callable[[Any, Any], Optional[Unknown]]] = {
    Unknown: lambda value, state: None,
    collections.OrderedDict: _versions,
    np.dtype: set_order,
    np.ndarray: fill_array}
