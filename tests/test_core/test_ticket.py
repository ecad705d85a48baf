"""Tickets on disk: roundtrip, size, and refusal of whatever is no whole ticket."""
import json
import pickle
import random
import resource
import struct
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmlth.core import Ticket, draw
from mmlth.core import ticket as ticket_module
from mmlth.core.errors import UserError


def make(seed=0):
    """Every kind of tensor and mask that a model may have."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        'conv.weight': torch.randn(5, 3, 3, 3, generator=generator),
        'fc.weight': torch.randn(7, 9, generator=generator).bfloat16(),
        'half.weight': torch.randn(4, 4, generator=generator).half(),
        'gone.weight': torch.randn(3, 3, generator=generator),
        'whole.weight': torch.randn(2, 5, generator=generator),
        'none.weight': torch.zeros(0, 3),
        'bn.running_mean': torch.randn(5, generator=generator),
        'bn.num_batches_tracked': torch.tensor(12345678901, dtype=torch.int64),
        'flags': torch.tensor([True, False]),
        'scale': torch.tensor(0.5).bfloat16(),
        'empty': torch.zeros(2, 0)}
    mask = {n: torch.rand(state[n].shape, generator=generator) > 0.7
            for n in ('conv.weight', 'fc.weight', 'half.weight', 'none.weight')}
    mask['gone.weight'] = torch.zeros(3, 3, dtype=torch.bool)
    mask['whole.weight'] = torch.ones(2, 5, dtype=torch.bool)
    meta = dict(source='configs/é.py', sparsity=0.8, scope=['base', 'top'], seed=3, none=None)
    return Ticket.draw(mask, state, meta, 'the test')


def assert_equal(a, b):
    assert a.meta == b.meta and set(a.mask) == set(b.mask) and set(a.state) == set(b.state)
    for name, keep in a.mask.items():
        assert b.mask[name].dtype == torch.bool and torch.equal(b.mask[name], keep), name
    for name, tensor in a.state.items():
        assert b.state[name].dtype == tensor.dtype, name
        assert torch.equal(b.state[name], tensor), name


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'ticket.safetensors'
    make().save(path)
    return path


def refused(path, *messages):
    """Loading must fail as the user's problem, with the path in the message."""
    with pytest.raises(UserError) as caught:
        Ticket.load(path)
    for text in (str(path), *messages):
        assert text in str(caught.value)


def forge(path, tensors, shapes, meta='{}', **header):
    """A file with a right checksum, by someone who knows the format."""
    header = {'format': 'mmlth.ticket', 'version': '1', 'shapes': shapes, 'meta': meta, **header}
    header['sha256'] = ticket_module._digest(tensors, header)
    save_file(tensors, str(path), metadata=header)


def test_roundtrip(saved):
    assert_equal(make(), Ticket.load(saved))
    assert_equal(make(), Ticket.load(str(saved)))


def test_a_ticket_may_be_only_a_mask(tmp_path):
    mask = make().mask
    Ticket(mask).save(tmp_path / 'a')
    loaded = Ticket.load(tmp_path / 'a')
    assert_equal(Ticket(mask), loaded)
    assert loaded.state == {} and loaded.meta == {}


def test_start_weights_are_mask_times_weights_and_a_copy():
    state = {'w': torch.tensor([-1.0, float('inf'), 3.0]), 'b': torch.ones(2)}
    keep = {'w': torch.tensor([False, False, True])}
    ticket = Ticket.draw(keep, state, {}, 'here')
    assert ticket.state['w'].tolist() == [0, 0, 3] and state['w'].tolist()[0] == -1
    assert not torch.signbit(ticket.state['w']).any()
    state['b'].add_(1)
    assert ticket.state['b'].tolist() == [1, 1]


def test_a_mask_of_another_model_is_refused():
    with pytest.raises(UserError, match='rewind.pth: 1 of 1 masks match no parameter'):
        Ticket.draw({'x': torch.ones(2).bool()}, {'w': torch.ones(2)}, {}, 'rewind.pth')
    with pytest.raises(UserError, match='rewind.pth: the mask of w has shape'):
        Ticket.draw({'w': torch.ones(3).bool()}, {'w': torch.ones(2)}, {}, 'rewind.pth')


def test_a_surviving_zero_survives(tmp_path):
    """Masks are stored as masks: w != 0 would prune it."""
    keep = torch.tensor([True, True, False, True])
    Ticket.draw({'w': keep}, {'w': torch.tensor([0.0, 1, 2, -0.0])}, {}, '').save(tmp_path / 'a')
    loaded = Ticket.load(tmp_path / 'a')
    assert torch.equal(loaded.mask['w'], keep)
    assert loaded.state['w'].tolist() == [0, 1, 0, 0]


def test_tensors_in_channels_last_are_stored_in_logical_order(tmp_path):
    weight = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    keep = (weight.abs() > 0.5)         # channels_last as well
    ticket = Ticket.draw({'w': keep}, {'w': weight, 'x': weight}, {}, '')
    ticket.save(tmp_path / 'a')
    assert_equal(ticket, Ticket.load(tmp_path / 'a'))


def test_size_at_80_percent(tmp_path):
    generator = torch.Generator().manual_seed(0)
    shapes = {f'layer{i}.weight': (128, 128, 3, 3) for i in range(7)}
    state = {n: torch.randn(s, generator=generator) for n, s in shapes.items()}
    weights = sum(t.numel() for t in state.values())
    assert weights > 1_000_000
    path = tmp_path / 'ticket.safetensors'
    Ticket.draw(draw(state, 0.8), state, {'source': 'x'}, '').save(path)
    assert path.stat().st_size <= 1.05 * (4 * 0.2 + 1 / 8) * weights


def test_only_surviving_entries_are_in_the_file(saved):
    stored, ticket = load_file(saved), make()
    for name, keep in ticket.mask.items():
        assert stored[f'kept/{name}'].shape == (int(keep.sum()),)
        assert stored[f'mask/{name}'].numel() == (keep.numel() + 7) // 8
    assert len(stored) == 2 * len(ticket.mask) + len(ticket.state) - len(ticket.mask)


def test_no_pickle_is_involved(saved):
    def forbidden(*args, **kwargs):
        raise AssertionError('pickle was used')
    with patch.multiple(pickle, load=forbidden, loads=forbidden, Unpickler=forbidden), \
            patch.multiple(torch, load=forbidden), \
            patch.multiple(torch.serialization, load=forbidden):
        assert_equal(make(), Ticket.load(saved))


def test_truncated_anywhere(saved):
    content = saved.read_bytes()
    for length in {0, 1, 7, 8, 9, len(content) - 1, *range(0, len(content), 29)}:
        saved.write_bytes(content[:length])
        refused(saved, 'cannot be read as a ticket')


def test_longer_than_it_was(saved):
    saved.write_bytes(saved.read_bytes() + b'\0')
    refused(saved)


@pytest.mark.parametrize('kind', ['bit', 'byte', 'zeros', 'swap', 'insert', 'delete'])
def test_altered_anywhere(saved, kind):
    content, rng = saved.read_bytes(), random.Random(kind)
    original = make()
    survived = 0
    for _ in range(150):
        data, at = bytearray(content), rng.randrange(len(content))
        if kind == 'bit':
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 'byte':
            data[at] = rng.randrange(256)
        elif kind == 'zeros':
            data[at:at + 16] = bytes(len(data[at:at + 16]))
        elif kind == 'swap':
            other = rng.randrange(len(content))
            data[at], data[other] = data[other], data[at]
        elif kind == 'insert':
            data.insert(at, rng.randrange(256))
        else:
            del data[at]
        saved.write_bytes(data)
        try:
            loaded = Ticket.load(saved)
        except UserError as error:
            assert str(saved) in str(error)
        else:   # e.g. two equal bytes swapped
            survived += 1
            assert_equal(original, loaded)
    assert survived < 40


def test_every_bit_of_mask_and_weights_is_guarded(saved):
    content = saved.read_bytes()
    begin = 8 + struct.unpack('<Q', content[:8])[0]
    for at in range(begin, len(content)):
        data = bytearray(content)
        data[at] ^= 1 << at % 8
        saved.write_bytes(data)
        refused(saved, 'checksum')


def test_an_altered_header_is_refused(saved):
    content = saved.read_bytes()
    for old, new in [(b'0.8', b'0.9'), (b'[7, 9]', b'[9, 7]'), (b'"1"', b'"2"'),
                     (b'bn.running_mean', b'bn.running_meen'), (b'mmlth.ticket', b'mmlth.tucket')]:
        assert content.count(old) >= 1
        saved.write_bytes(content.replace(old, new))
        refused(saved)
    saved.write_bytes(content.replace(b'"1"', b'"2"'))
    refused(saved, "format version '2'", "reads '1'")


def test_a_foreign_safetensors_file(tmp_path):
    save_file({'w': torch.ones(3)}, str(tmp_path / 'w'))
    refused(tmp_path / 'w', 'no ticket of mmlth')
    save_file({'w': torch.ones(3)}, str(tmp_path / 'w'), metadata={'format': 'pt'})
    refused(tmp_path / 'w', 'no ticket of mmlth')


@pytest.mark.parametrize('content', [
    b'', b'\n', b'PK\x03\x04', b'{}', b'\0' * 5000, b'\xff' * 5000, pickle.dumps({'w': 1}),
    struct.pack('<Q', 2) + b'{}', struct.pack('<Q', 2) + b'[]', struct.pack('<Q', 4) + b'\xff' * 4])
def test_files_of_other_kinds(tmp_path, content):
    (tmp_path / 'x').write_bytes(content)
    refused(tmp_path / 'x', 'cannot be read as a ticket')


def test_a_torch_checkpoint(tmp_path):
    torch.save(make().state, tmp_path / 'x.pth')
    refused(tmp_path / 'x.pth', 'cannot be read as a ticket')


def test_no_file_and_a_folder(tmp_path):
    refused(tmp_path / 'gone.safetensors', 'there is no ticket')
    refused(tmp_path, 'there is no ticket')


def test_the_header_cannot_claim_memory(tmp_path):
    path = tmp_path / 'x'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape, end in [([2**40], 2**42), ([2**40], 4), ([2**40], 0), ([2**33, 2**33], 4),
                       ([2**62, 4], 0), ([0, 2**63], 0)]:
        header = json.dumps({
            '__metadata__': {'format': 'mmlth.ticket', 'version': '1', 'shapes': '{}',
                             'meta': '{}', 'sha256': ''},
            'state/w': {'dtype': 'F32', 'shape': shape, 'data_offsets': [0, end]}}).encode()
        path.write_bytes(struct.pack('<Q', len(header)) + header + b'\0' * 4)
        refused(path)
    path.write_bytes(struct.pack('<Q', 2**62) + b'{}')
    refused(path)
    for shape in ([2**40], [2**62, 4], [2**70], [-1, -8], [1.0], [[8]], '8', 8, None, {'8': 1},
                  ['8'], [0, 2**62], [0, 2**70]):
        for kind in ('mask', 'deflated'):
            forge(path, {f'{kind}/w': torch.zeros(1, dtype=torch.uint8)}, json.dumps({'w': shape}))
            refused(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 100_000     # KiB


EMPTY = torch.zeros(0, dtype=torch.uint8)


@pytest.mark.parametrize('tensors, shapes, meta', [
    ({'mask/w': EMPTY}, '{"w": [0, 99999999999999999999999]}', '{}'),
    ({'mask/w': EMPTY}, '{', '{}'),
    ({'mask/w': EMPTY}, '[]', '{}'),
    ({'mask/w': EMPTY}, '{"w": [0]}', '[]'),
    ({'mask/w': EMPTY}, '{"w": [0]}', '[' * 100_000),
    ({'mask/w': EMPTY}, '{"w": [0]}', '1' * 10_000),
    ({'mask/w': EMPTY}, '{"w": [0], "v": [0]}', '{}'),
    ({'mask/w': EMPTY}, '{}', '{}'),
    ({'mask/w': torch.ones(1)}, '{"w": [8]}', '{}'),
    ({'deflated/w': torch.ones(1)}, '{"w": [8]}', '{}'),
    ({'deflated/w': EMPTY}, '{}', '{}'),
    ({'other/w': torch.ones(1)}, '{}', '{}'),
    ({'w': torch.ones(1)}, '{}', '{}'),
    ({'kept/w': torch.ones(1)}, '{}', '{}'),
    ({'mask/w': torch.tensor([255], dtype=torch.uint8), 'kept/w': torch.ones(7)},
     '{"w": [8]}', '{}'),
    ({'mask/w': torch.tensor([255], dtype=torch.uint8), 'kept/w': torch.ones(8, 1)},
     '{"w": [8]}', '{}'),
    ({'mask/w': torch.tensor([255], dtype=torch.uint8), 'kept/w': torch.tensor(1.0)},
     '{"w": [8]}', '{}'),
])
def test_a_malformed_file_with_a_right_checksum(tmp_path, tensors, shapes, meta):
    forge(tmp_path / 'x', tensors, shapes, meta)
    refused(tmp_path / 'x')


@pytest.mark.parametrize('error', [RuntimeError('disk full'), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_earlier_file(saved, error):
    before = saved.read_bytes()

    def interrupted(tensors, filename, metadata):
        with open(filename, 'wb') as file:
            file.write(before[:100])
        raise error

    with patch.object(ticket_module, 'save_file', interrupted):
        with pytest.raises(type(error)):
            make(seed=1).save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_meta_must_be_plain(tmp_path):
    """No object is pickled into a file; what JSON cannot hold is refused, nothing written."""
    with pytest.raises(TypeError):
        Ticket(make().mask, meta={'model': object()}).save(tmp_path / 'x')
    assert not list(tmp_path.iterdir())
