"""Damaged and hostile files: they hold what they promise, or are refused by name.

The fuzz runs in a process of its own, whose memory is limited: ``python test_fuzz.py FOLDER``.
"""
import copy
import json
import os
import pickle
import random
import resource
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from mmlth.core import Ticket, paths
from mmlth.core import mask as masks
from mmlth.core import ticket as ticket_module
from mmlth.core.errors import UserError
from mmlth.engine.chain import report as chain_report
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.state import LotteryState, read_lottery
from mmlth.engine.checkpoints import checkpoint_entry
from mmlth.engine.verify import verify

COUNTS = dict(tickets=700, headers=600, lotteries=900, checkpoints=300)
MEMORY = 300 * 2**20    # bytes beyond what is taken before the first file
CONFIG = dict(model=dict(type='Toy', widths=[8, 16]), lr=0.1, load_from=None,
              randomness=dict(seed=3), default_hooks=dict(
                  prune=dict(type='mmlth.PruneHook', sparsity=0.8, rounds=2),
                  rewind=dict(type='mmlth.RewindHook')))
SPEC = LotterySpec.of(Config(CONFIG))

# What somebody may write in place of any value in JSON.
VALUES = [None, True, False, 0, -1, 1, 2, 3, 8, 1.5, -0.0, float('nan'), float('inf'), 2**31,
          2**53, 2**63, 2**64, 10**400, '', 'x', '1', '../../x', '/etc/passwd', '..\\x', 'C:\\x',
          '\0', '\ud800', 'é' * 300, 'done', 'running', [], {}, [[]], {'x': None}, [0], [8], [-8],
          [2**40], [2**62, 4], [0, 2**63], [1.0], [True], ['8'], {'seed': 'x'}]


def make_ticket():
    generator = torch.Generator().manual_seed(0)
    state = {'conv.weight': torch.randn(5, 3, 3, 3, generator=generator),
             'fc.weight': torch.randn(7, 9, generator=generator).bfloat16(),
             'none.weight': torch.zeros(0, 3), 'steps': torch.tensor(7), 'flag': torch.ones(2) > 0}
    mask = {n: torch.rand(state[n].shape, generator=generator) > 0.7
            for n in ('conv.weight', 'fc.weight', 'none.weight')}
    return Ticket.draw(mask, state, dict(sparsity=0.7, start='rewind.pth'), 'test')


def make_state(folder):
    state = LotteryState(folder, Config(CONFIG), SPEC)
    for entry in state.rounds[:2]:
        r = entry['round']
        entry.update(status='done', scope_sparsity=0.5 * r, network_sparsity=0.4 * r,
                     metrics={'toy/AP': 50.0}, checkpoint=f'round_{r}/final.pth',
                     checkpoint_bytes=100, ticket=f'round_{r}/ticket.safetensors' if r else None,
                     ticket_bytes=50 if r else None, iterations=12, planned_iterations=12)
    return state


def mutate_bytes(content, rng):
    """Flips, truncations, insertions, deletions, runs of one byte."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 1, 4, 40))
        kind = rng.choice(('flip', 'byte', 'truncate', 'insert', 'delete', 'run', 'copy'))
        if kind == 'truncate':
            del data[at:]
        elif kind == 'insert':
            data[at:at] = bytes(rng.randrange(256) for _ in range(length))
        elif kind == 'delete':
            del data[at:at + length]
        elif kind == 'run':
            data[at:at + length] = bytes([rng.choice((0, 255, 0x5b, 0x7b, 0x22))]) * length
        elif kind == 'copy':
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start:start + length]
        elif at < len(data):
            data[at] = data[at] ^ (1 << rng.randrange(8)) if kind == 'flip' else rng.randrange(256)
    return bytes(data)


def mutate_json(value, rng):
    """Another value at a random place; a key removed, doubled or renamed; deep nesting."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place, keys = value, []
        while isinstance(place, (dict, list)) and place and (not keys or rng.random() < 0.85):
            keys.append(rng.choice(list(place) if isinstance(place, dict) else range(len(place))))
            parent, place = place, place[keys[-1]]
        if not keys:
            return copy.deepcopy(rng.choice(VALUES))
        kind = rng.random()
        if kind < 0.6:
            parent[keys[-1]] = copy.deepcopy(rng.choice(VALUES))
        elif kind < 0.75:
            del parent[keys[-1]]
        elif kind < 0.9 and isinstance(parent, dict):
            parent[rng.choice(['x', '', '\ud800', *map(str, parent)])] = parent.pop(keys[-1])
        elif kind < 0.95 and isinstance(parent, list):
            parent.append(parent[keys[-1]])
        else:
            for _ in range(rng.choice((50, 120))):
                parent[keys[-1]] = rng.choice(([parent[keys[-1]]], {'x': parent[keys[-1]]}))
    return value


def refused_by(path, load):
    """Whether ``load`` refuses the file, as a user's problem and by its name."""
    try:
        load()
        return False
    except UserError as error:
        assert str(path) in str(error), str(error)[:300]
        # Memory was not the reason; a setting's name is none.
        assert 'alloc' not in str(error).replace('allocation was', ''), str(error)[:300]
        assert len(str(error)) < 2000
        return True


def fuzz_tickets(folder):
    """Bytes of a saved ticket; what loads is the ticket itself, or holds together."""
    path, rng, refused = folder / 'ticket.safetensors', random.Random(1), 0
    make_ticket().save(path)
    content = join(*split(path.read_bytes()))
    for _ in range(COUNTS['tickets']):
        path.write_bytes(mutate_bytes(content, rng))
        refused += refused_by(path, lambda: check_ticket(path))
    return refused


def check_ticket(path):
    """Every mask a BoolTensor, every pruned start weight 0; saving it again changes nothing."""
    ticket = Ticket.load(path)
    assert isinstance(ticket.meta, dict) and masks.pruned(ticket.mask) <= masks.size(ticket.mask)
    for name, keep in ticket.mask.items():
        assert keep.dtype == torch.bool
        if name in ticket.state:
            assert ticket.state[name].shape == keep.shape
            # In float32: PyTorch 2.1 does not index types of 8 bits.
            assert not ticket.state[name].float()[~keep].any(), name
    ticket.save(path)
    again = Ticket.load(path)
    assert masks.digest(again.mask) == masks.digest(ticket.mask)
    assert again.state.keys() == ticket.state.keys()


def fuzz_headers(folder):
    """Tensors and header of a ticket, most with a right checksum, so that they are decoded."""
    path, rng, refused = folder / 'forged.safetensors', random.Random(2), 0
    make_ticket().save(path)
    for number in range(COUNTS['headers']):
        make_ticket().save(path)
        tensors, header = read_safetensors(path)
        mutate_tensors(tensors, rng)
        for key in ('shapes', 'meta'):
            if rng.random() < 0.5:
                header[key] = json.dumps(mutate_json(json.loads(header[key]), rng))
        if rng.random() < 0.05:
            header[rng.choice(('format', 'version', 'shapes', 'meta'))] = rng.choice(
                ('', '1', '{', '[' * 5000, '1' * 5000, '{"\\ud800": [8]}'))
        if rng.random() < 0.9:
            header['sha256'] = ticket_module._digest(tensors, header)
        save_file(tensors, str(path), metadata=header)
        if number % 3 == 0:
            path.write_bytes(mutate_index(path.read_bytes(), rng))
        refused += refused_by(path, lambda: check_ticket(path))
    return refused


def read_safetensors(path):
    with ticket_module.safetensors.safe_open(str(path), 'pt') as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata())


DTYPES = [torch.uint8, torch.int8, torch.bool, torch.float16, torch.float64, torch.int64,
          torch.complex64, *(getattr(torch, name) for name in ('uint16', 'float8_e4m3fn')
                             if hasattr(torch, name))]


def mutate_tensors(tensors, rng):
    """A tensor missing, of another dtype or shape, or under another name."""
    for _ in range(rng.choice((0, 1, 1, 2))):
        name = rng.choice(sorted(tensors))
        kind = rng.choice(('drop', 'dtype', 'longer', 'flat', 'empty', 'rename', 'twice', 'inf'))
        tensor = tensors[name] if kind in ('twice', 'inf') else tensors.pop(name)
        if kind == 'dtype':
            tensors[name] = tensor.to(rng.choice(DTYPES))
        elif kind == 'longer':
            tensors[name] = tensor.reshape(-1).repeat(2)
        elif kind == 'flat':
            tensors[name] = tensor.reshape(1, -1, 1)
        elif kind == 'empty':
            tensors[name] = tensor.reshape(-1)[:0].clone()
        elif kind == 'inf' and tensor.is_floating_point():
            tensors[name] = tensor * torch.inf
        elif kind in ('rename', 'twice'):
            group = rng.choice(('mask', 'kept', 'state', 'x', ''))
            tensors[f'{group}/{name.partition("/")[2]}'] = tensor.clone()
        if not tensors:
            tensors[name] = tensor.clone()


def mutate_index(content, rng):
    """The header of the safetensors file itself: dtypes, shapes, offsets, duplicates."""
    index, data = split(content)
    text = json.dumps(mutate_json(index, rng))
    if rng.random() < 0.2:      # the same name twice
        text = text[:-1] + ', ' + text[1:]
    length = len(text.encode())
    return join(text, data, rng.choice((length, length, length, 0, 2**62, length + 1)))


def split(content):
    """The header, its keys in order (safetensors writes them in any), and the data."""
    end = 8 + struct.unpack('<Q', content[:8])[0]
    index = json.loads(content[8:end])
    index['__metadata__'] = dict(sorted(index['__metadata__'].items()))
    return dict(sorted(index.items())), content[end:]


def join(index, data, claimed=None):
    text = (index if isinstance(index, str) else json.dumps(index)).encode()
    return struct.pack('<Q', len(text) if claimed is None else claimed) + text + data


def fuzz_lotteries(folder):
    """What is accepted can be resumed, printed and looked up without a second thought."""
    rng, refused = random.Random(3), 0
    state = make_state(folder)
    state.save()
    content = state.path.read_bytes()
    value = json.loads(content)
    for number in range(COUNTS['lotteries']):
        if number % 3 == 0:
            state.path.write_bytes(mutate_bytes(content, rng))
        elif number % 90 == 1:
            deep = rng.choice(('[', '{"x":')) * rng.choice((99, 500, 10**5))
            state.path.write_text(f'{{"version": 1, "config": {deep}')
        else:
            state.path.write_text(json.dumps(mutate_json(value, rng)))
        refused += refused_by(state.path, lambda: check_lottery(state.path))
        refused_by(folder, lambda: LotteryState(folder, Config(CONFIG), SPEC).resume())
    return refused


def check_lottery(path):
    rounds = read_lottery(path)['rounds']
    assert [entry['round'] for entry in rounds] == list(range(len(rounds)))
    for entry in rounds:
        for key in ('checkpoint', 'ticket'):
            if entry.get(key) is not None:
                inside = (path.parent / entry[key]).resolve()
                assert path.parent.resolve() in inside.parents
                inside.exists()
    state = SimpleNamespace(rounds=make_state(path.parent).rounds)
    for own, old in zip(state.rounds, rounds):
        own.update({key: old[key] for key in own.keys() & old.keys()})
    chain_report.summary(state.rounds, path.parent, Config(CONFIG), SPEC)


def fuzz_checkpoints(folder):
    """The masks in a checkpoint; whatever stands under ``mmlth``."""
    path, rng, refused = folder / 'iter_1.pth', random.Random(4), 0
    ticket = make_ticket()
    good = dict(meta=dict(iter=1), state_dict=ticket.state,
                optimizer=dict(state={0: dict(step=torch.tensor(1.0))},
                               param_groups=[dict(params=[0])]),
                mmlth=dict(checkpoint_entry(ticket.mask), optimizer=['conv.weight']))
    for _ in range(COUNTS['checkpoints']):
        checkpoint = {**good, **mutate_entry(good, rng)}
        torch.save(checkpoint, path)
        if rng.random() < 0.2:
            path.write_bytes(mutate_bytes(path.read_bytes(), rng))
        refused += refused_by(path, lambda: verify(path))
    return refused


TENSORS = [torch.zeros(1, dtype=torch.uint8).expand(2**40), torch.zeros(0, dtype=torch.uint8),
           torch.zeros(17, dtype=torch.uint8), torch.zeros(17), torch.tensor(1),
           torch.zeros(17, dtype=torch.uint8).to_sparse(), torch.zeros(8, 2**30, device='meta'),
           torch.ones(2**10).as_strided((2**9, 2**9), (1, 1)), torch.zeros(4, dtype=torch.bool)]


def mutate_entry(checkpoint, rng):
    """New top-level values: masks, names or weights are replaced by what JSON or torch has."""
    key = rng.choice(('mmlth', 'mmlth', 'mmlth', 'mmlth', 'optimizer', 'state_dict', 'meta'))
    value = shallow = copy.deepcopy(checkpoint[key])
    keys = []
    while isinstance(shallow, dict) and shallow and (not keys or rng.random() < 0.8):
        keys.append(rng.choice(list(shallow)))
        parent, shallow = shallow, shallow[keys[-1]]
    pool = rng.choice((VALUES, TENSORS))
    if rng.random() < 0.1:
        return {key: rng.choice(pool)}
    parent[keys[-1]] = rng.choice(pool)
    if rng.random() < 0.1:      # a mask as large as it says, of memory that is not there
        value = {'masks': {'conv.weight': dict(shape=[2**43], bits=TENSORS[0])}, 'digest': ''}
        return {'mmlth': value}
    return {key: value}


def hostile_pickle(folder):
    """A checkpoint that would run code is refused, and has not run it."""
    marker = folder / 'executed'

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(marker),)
    path = folder / 'hostile.pth'
    torch.save(dict(meta={}, state_dict={}, mmlth=Hostile()), path)
    assert refused_by(path, lambda: verify(path))
    path.write_bytes(pickle.dumps(dict(state_dict=Hostile())))
    assert refused_by(path, lambda: verify(path))
    ticket = path.with_suffix('.safetensors')
    ticket.write_bytes(path.read_bytes())
    assert refused_by(ticket, lambda: verify(ticket))
    assert not marker.exists()


def main(folder):
    """Run all under a limit of memory; print how many files each part has refused."""
    make_ticket().save(folder / 'warm.safetensors')
    check_ticket(folder / 'warm.safetensors')
    hostile_pickle(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    # Waiting for the disk would be most of the time.
    os.fsync = lambda file: None
    refused = dict(tickets=fuzz_tickets(folder), headers=fuzz_headers(folder),
                   lotteries=fuzz_lotteries(folder), checkpoints=fuzz_checkpoints(folder))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps(dict(refused=refused, grown=grown * 1024)))


@pytest.fixture(scope='module')
def result(tmp_path_factory):
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', __file__, str(tmp_path_factory.mktemp('fuzz'))],
        capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.parametrize('kind', COUNTS)
def test_every_file_is_refused_by_name_or_holds_together(result, kind):
    """Both happen, or the files would prove nothing; a ticket's checksum guards every byte."""
    assert 0.2 * COUNTS[kind] < result['refused'][kind]
    assert kind == 'tickets' or result['refused'][kind] < COUNTS[kind]


def test_memory_stays_small(result):
    assert sum(COUNTS.values()) >= 2000
    assert result['grown'] < MEMORY


def test_a_large_file_is_not_read(tmp_path):
    with open(tmp_path / paths.LOTTERY, 'wb') as file:
        file.truncate(2**40)    # takes no space
    with pytest.raises(UserError, match='larger than'):
        read_lottery(tmp_path / paths.LOTTERY)


def set_entry(**values):
    return lambda lottery: lottery['rounds'][1].update(values)


@pytest.mark.parametrize('change, message', [
    (lambda v: v.update(version=2), 'version: expected the 1 that this mmlth reads, got 2'),
    (lambda v: v.update(version=True), 'version'),
    (lambda v: v.update(rounds={}), 'rounds: expected a list, not empty, got dict of 0'),
    (lambda v: v.update(rounds=[]), 'rounds: expected a list, not empty, got list of 0'),
    (lambda v: v['rounds'].append(3), 'rounds[3]: expected an object, got 3'),
    (lambda v: v.update(config=[]), 'config: expected an object'),
    (lambda v: v['config'].update(load_from=3), 'config.load_from: expected a string'),
    (lambda v: v['config'].update(randomness=3), 'config.randomness: expected an object'),
    (lambda v: v['config']['randomness'].update(seed='x'), 'config.randomness.seed'),
    (set_entry(round=True), 'rounds[1].round: expected 1, got True'),
    (set_entry(status='lost'), "rounds[1].status: expected 'waiting', 'running' or 'done'"),
    (set_entry(scope_sparsity=1.01), 'rounds[1].scope_sparsity: expected a fraction'),
    (set_entry(network_sparsity=float('nan')), 'rounds[1].network_sparsity'),
    (set_entry(network_sparsity=None), 'rounds[1].network_sparsity: expected a value'),
    (set_entry(metrics=[]), 'rounds[1].metrics: expected an object of numbers'),
    (set_entry(metrics={'AP': '50'}), 'rounds[1].metrics'),
    (set_entry(checkpoint='/etc/passwd'), 'rounds[1].checkpoint: expected a path inside'),
    (set_entry(ticket='round_1/../../x'), 'rounds[1].ticket: expected a path inside'),
    (set_entry(ticket='C:x'), 'rounds[1].ticket'),
    (set_entry(checkpoint='.'), 'rounds[1].checkpoint'),
    (set_entry(checkpoint_bytes=-1), 'rounds[1].checkpoint_bytes: expected a whole number'),
    (set_entry(ticket_bytes=1.5), 'rounds[1].ticket_bytes'),
    (set_entry(iterations=True), 'rounds[1].iterations'),
    (set_entry(planned_iterations=None), 'rounds[1].planned_iterations'),
    (set_entry(seconds=float('inf')), 'rounds[1].seconds: expected a number'),
    (lambda v: v['rounds'].pop(), 'it has 2 rounds, its config 3'),
])
def test_what_is_wrong_with_a_lottery_file_is_said(tmp_path, change, message):
    state = make_state(tmp_path)
    state.save()
    value = json.loads(state.path.read_text())
    change(value)
    state.path.write_text(json.dumps(value))
    with pytest.raises(UserError) as caught:
        LotteryState(tmp_path, Config(CONFIG), SPEC).resume()
    assert f'{state.path} cannot be read' in str(caught.value)
    assert message in str(caught.value)


def test_a_lottery_file_of_an_older_version_and_an_undefined_metric(tmp_path):
    state = make_state(tmp_path)
    state.rounds[0]['metrics'] = {'toy/AP': float('nan')}
    del state.rounds[0]['planned_iterations'], state.rounds[1]['seconds']
    state.rounds[2]['new'] = ['what a newer mmlth notes']
    state.save()
    resumed = LotteryState(tmp_path, Config(CONFIG), SPEC)
    resumed.resume()
    assert resumed.rounds[0]['planned_iterations'] == 0 and resumed.rounds[1]['seconds'] == 0.0
    assert resumed.rounds[1]['checkpoint'] == 'round_1/final.pth'


def test_another_number_of_rounds_names_the_setting(tmp_path):
    make_state(tmp_path).save()
    cfg = copy.deepcopy(CONFIG)
    cfg['default_hooks']['prune']['rounds'] = 3
    with pytest.raises(UserError, match='default_hooks.prune.rounds was 2, is 3'):
        LotteryState(tmp_path, Config(cfg), LotterySpec.of(Config(cfg))).resume()


if __name__ == '__main__':
    main(Path(sys.argv[1]))
