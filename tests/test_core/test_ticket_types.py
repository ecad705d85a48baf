"""Tickets of all types of tensors, those that claim too much, and files that may not be read."""
import json
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from test_ticket import forge, refused

from mmlth.core import Ticket, checkpoint_file
from mmlth.core import mask as masks
from mmlth.core.errors import UserError

TYPES = ['bool', 'int8', 'int64', 'float16', 'bfloat16', 'float64', 'complex64', 'uint16', 'uint64',
         'float8_e4m3fn']


@pytest.mark.parametrize('name', [name for name in TYPES if hasattr(torch, name)])
def test_what_is_written_can_be_read(tmp_path, name):
    values = torch.tensor([[1., 0, 2], [0, 3, 0]]).to(getattr(torch, name))
    keep = torch.tensor([[True, False, True], [False, True, False]])
    state = {'w': values, 'whole': values, 'none': values[:0].clone(), 'one': values[0, 0].clone()}
    Ticket({'w': keep, 'none': keep[:0]}, state).save(tmp_path / 'x')
    found = Ticket.load(tmp_path / 'x').state
    for key, tensor in state.items():
        assert found[key].dtype == tensor.dtype and found[key].shape == tensor.shape
        assert found[key].tolist() == tensor.tolist()


@pytest.mark.parametrize('masked', [True, False])
def test_a_type_that_no_file_holds(tmp_path, masked):
    mask = {'w': torch.ones(2, dtype=torch.bool)} if masked else {}
    ticket = Ticket(mask, {'b': torch.ones(1), 'w': torch.ones(2, dtype=torch.complex128)})
    with pytest.raises(UserError, match=r'x: w is of torch\.complex128, which safetensors files '
                                        'cannot hold'):
        ticket.save(tmp_path / 'x')
    assert not list(tmp_path.iterdir())


def test_a_small_file_cannot_claim_memory(tmp_path):
    """Deflated, a mask of which nothing survives takes 1 byte for 8000 weights."""
    size = 1 << 26
    deflated = masks.deflate(torch.zeros(size // 8, dtype=torch.uint8))
    forge(tmp_path / 'x', {'deflated/a': deflated, 'kept/a': torch.zeros(0)},
          json.dumps({'a': [size]}))
    assert (tmp_path / 'x').stat().st_size < 10_000
    refused(tmp_path / 'x', f'it has masks of {size} weights in {len(deflated)} bytes')


@contextmanager
def as_nobody():
    """Root may read everything."""
    before = os.geteuid()
    if not before:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize('closed', ['x', '.'])
@pytest.mark.parametrize('load, sentence', [
    (Ticket.load, 'cannot be opened: Permission denied'),
    (checkpoint_file.load, 'cannot be read as a checkpoint: PermissionError: ')])
def test_a_file_that_may_not_be_read(load, sentence, closed):
    """Nor one in a folder that may not be entered."""
    with TemporaryDirectory() as folder:    # pytest's own are closed already
        Path(folder).chmod(0o755)
        Ticket({}).save(Path(folder) / 'x')
        (Path(folder) / closed).chmod(0)
        with as_nobody(), pytest.raises(UserError, match=f'x {sentence}'):
            load(Path(folder) / 'x')
        (Path(folder) / closed).chmod(0o700)
