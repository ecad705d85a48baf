"""Files of torch.save are read as data: what is known comes back, and nothing is run."""
import collections
import functools
import os
import pickle
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from mmlth.core import checkpoint_file, pickled_numpy, unpickler
from mmlth.core.errors import UserError
from mmlth.core.unknown import Unknown

FORMS = [True, False]       # zip files, and those of torch < 1.6


def saved(path, value, new=True):
    torch.save(value, path, _use_new_zipfile_serialization=new)
    return path


class Call:
    """Pickled as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call

    def __call__(self):
        """What comes of a call may be called again."""


class Keywords:
    """Made anew with keywords, of which protocol 4 has an opcode."""

    def __getnewargs_ex__(self):
        return (), {'a': 1}

    def __new__(cls, a=0):
        return object.__new__(cls)


class OwnState(np.ndarray):
    """As numpy's manual has it for subclasses with attributes."""

    def __reduce__(self):
        function, args, state = super().__reduce__()
        return function, args, (*state, 'mine')


class Odd(dict):
    """A class that no reader knows, with items and a state."""


@pytest.mark.parametrize('new', FORMS)
def test_plain_values_come_back(tmp_path, new):
    state = torch.nn.BatchNorm1d(2).state_dict()
    both = torch.arange(4.)
    value = dict(
        state=state, tied=[both, both[1:]], half=torch.ones(2).bfloat16(), none=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.ones(2)), sparse=torch.eye(2).to_sparse(),
        dtype=torch.float16, size=torch.Size([1]), device=torch.device('cpu'),
        counter=collections.Counter([1, 1, 2]), sets=({1}, frozenset({2})), part=slice(1, 2),
        default=collections.defaultdict(list, a=[1]), raw=b'\x00\xff', number=1j,
        array=np.arange(3), swapped=np.array([1.5], '>f4'), text=np.array(['a', 'bc']),
        objects=np.array(['x', None], object), scalar=np.float64(2.5), flag=np.bool_(True))
    loaded = checkpoint_file.load(saved(tmp_path / 'x.pth', value, new))
    assert checkpoint_file.drop_unknown(loaded) == []
    for name, tensor in state.items():
        assert torch.equal(loaded['state'][name], tensor)
    assert loaded['state']._metadata == state._metadata
    for name in ('half', 'none', 'parameter', 'sparse'):
        assert torch.equal(loaded[name].to_dense(), value[name].to_dense()), name
        assert loaded[name].dtype == value[name].dtype
    first, rest = loaded['tied']
    assert first.data_ptr() + 4 == rest.data_ptr() and torch.equal(rest, both[1:])
    for name in ('array', 'swapped', 'text', 'objects', 'scalar', 'flag'):
        assert np.array_equal(loaded[name], value[name]), name
    for name in ('dtype', 'size', 'device', 'counter', 'sets', 'part', 'default', 'raw', 'number'):
        assert loaded[name] == value[name], name
    assert type(loaded['counter']) is collections.Counter


def test_without_values(tmp_path):
    """As large as the file may be, it takes no memory."""
    path = saved(tmp_path / 'x.pth', dict(w=torch.nn.Parameter(torch.ones(2, 3)), n=[1]))
    loaded = checkpoint_file.load(path, 'meta')
    assert loaded['w'].is_meta and loaded['w'].shape == (2, 3) and loaded['n'] == [1]


def test_wherever_only_weights_may_be_loaded(tmp_path, monkeypatch):
    path = saved(tmp_path / 'x.pth', dict(n=1))
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    assert checkpoint_file.load(path) == dict(n=1)
    assert os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] == '1'


HOSTILE = {
    'os.system': lambda marker: Call(os.system, f'touch {marker}'),
    'mkdir': lambda marker: Call(os.mkdir, marker),
    'eval': lambda marker: Call(eval, f'__import__("os").mkdir({marker!r})'),
    'exec': lambda marker: Call(exec, f'import os; os.mkdir({marker!r})'),
    'popen': lambda marker: Call(subprocess.Popen, ['touch', marker]),
    'partial': lambda marker: Call(functools.partial, os.mkdir, marker),
    'partial called': lambda marker: Call(Call(functools.partial, os.mkdir, marker)),
    'getattr': lambda marker: Call(Call(getattr, Call(__import__, 'os'), 'mkdir'), marker),
    'getattr of a tensor': lambda marker: Call(
        Call(getattr, torch.ones(1), 'numpy().tofile'), marker),
    'map': lambda marker: Call(list, Call(map, os.mkdir, [marker])),
    'torch.load': lambda marker: Call(torch.load, marker),
    'torch.save': lambda marker: Call(torch.save, 1, marker),
    'torch.hub': lambda marker: Call(torch.hub.download_url_to_file, 'file:///etc/hosts', marker),
    '_load_from_bytes': lambda marker: Call(torch.storage._load_from_bytes, pickle.dumps(
        Call(os.mkdir, marker), 2)),
    'numpy': lambda marker: Call(np.save, marker, np.ones(1)),
    'numpy.load': lambda marker: Call(np.load, marker),
    'runpy': lambda marker: Call(__import__('runpy').run_path, marker)}


@pytest.mark.parametrize('new', FORMS)
@pytest.mark.parametrize('attack', HOSTILE)
def test_nothing_is_run(tmp_path, attack, new):
    """In the place of what a hostile file asks for stands something inert, or all is refused."""
    marker = tmp_path / 'made'
    value = dict(state_dict=dict(w=torch.ones(2)), hub=HOSTILE[attack](str(marker)))
    path = saved(tmp_path / 'x.pth', value, new)
    try:
        loaded = checkpoint_file.load(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert torch.equal(loaded['state_dict']['w'], torch.ones(2))
        assert isinstance(loaded['hub'], Unknown) and callable(loaded['hub'])
        loaded['hub'](str(marker))
        assert checkpoint_file.drop_unknown(loaded)[0].startswith('hub (')
    assert not list(tmp_path.glob('made*'))


def opcodes(*parts):
    """A pickle that no pickler writes."""
    return b'\x80\x02' + b''.join(parts) + b'.'


def named(name):
    module, _, attribute = name.rpartition('.')
    return b'c' + module.encode() + b'\n' + attribute.encode() + b'\n'


@pytest.mark.parametrize('content', [
    # BUILD would set attributes of whatever is there: a class, a function, a module's dict
    opcodes(named('collections.Counter'), pickle.dumps((None, {'update': 1}), 2)[2:-1], b'b'),
    opcodes(named('torch._utils._rebuild_tensor_v2'), pickle.dumps({'x': 1}, 2)[2:-1], b'b'),
    # what is called must be of the table
    opcodes(pickle.dumps(1, 2)[2:-1], b')', b'R'),
    opcodes(named('torch.float32'), b')', b'R'),
    # instances of classes in ways that torch.save never uses
    b'(S"1"\niposix\nsystem\n.', b'(cposix\nsystem\nS"1"\no.',
    # made with keywords
    opcodes(named('collections.Counter'), b')}\x92'),
    # memory for bytes that are not there
    b'\x80\x05\x96' + (2**40).to_bytes(8, 'little') + b'.',
])
def test_forged_pickles_are_refused(tmp_path, content):
    before = collections.Counter.update, dict(torch._utils._rebuild_tensor_v2.__dict__)
    with zipfile.ZipFile(tmp_path / 'x.pth', 'w') as file:
        file.writestr('x/data.pkl', content)
        file.writestr('x/version', '3\n')
    with pytest.raises(UserError, match='x.pth cannot be read as a checkpoint'):
        checkpoint_file.load(tmp_path / 'x.pth')
    assert before == (collections.Counter.update, torch._utils._rebuild_tensor_v2.__dict__)


@pytest.mark.parametrize('opcode, name', [
    (b'\xff', '255'), (b'\x82', 'EXT1'), (b'iposix\nsystem\n', 'INST'), (b'o', 'OBJ'),
    (b'\x97', 'NEXT_BUFFER')])
def test_an_opcode_that_is_not_read_is_named(tmp_path, opcode, name):
    with zipfile.ZipFile(tmp_path / 'x.pth', 'w') as file:
        file.writestr('x/data.pkl', opcodes(opcode))
        file.writestr('x/version', '3\n')
    with pytest.raises(UserError, match=f'it has the opcode {name}, which is not read'):
        checkpoint_file.load(tmp_path / 'x.pth')


@pytest.mark.parametrize('maker, args', [
    ('_codecs.encode', ('x' * 9, 'zip')),
    ('numpy.core.multiarray.scalar', (np.dtype('O'), b'1' * 8)),
    ('numpy.core.multiarray.scalar', (np.dtype('f8'), [1]))])
def test_makers_take_no_odd_arguments(maker, args):
    with pytest.raises(pickle.UnpicklingError):
        unpickler.make(unpickler._MAKERS[maker], args)


@pytest.mark.parametrize('code', [[('a', 'O')], 'V8', 'O,i4', 'M8', Unknown('float8')])
def test_numpy_types_that_are_not_plain_are_not_made(code):
    assert isinstance(unpickler.make(unpickler._MAKERS['numpy.dtype'], (code,)), Unknown)


def test_a_forged_numpy_type_keeps_its_own_flags_and_size():
    """Numbers that claim to hold pointers, or to be of another size, would read foreign memory."""
    dtype = unpickler.make(unpickler._MAKERS['numpy.dtype'], ('f8', False, True))
    pickled_numpy.set_order(dtype, (3, '>', None, ('a',), {'a': (np.dtype('O'), 0)}, 1000, 1, 63))
    assert dtype == np.dtype('>f8') and not dtype.hasobject and dtype.fields is None
    assert unpickler.make(unpickler._MAKERS['numpy.dtype'], ('f8',)) == np.dtype('f8')


def test_an_unknown_class_costs_nothing_but_itself(tmp_path):
    odd = Odd(a=1)
    odd.state = 2
    value = dict(odd=odd, rest=[dict(x=odd, y=3), (odd, 1)], kind=Odd, w=torch.ones(1))
    loaded = checkpoint_file.load(saved(tmp_path / 'x.pth', value))
    name = f'{__name__}.Odd'
    assert checkpoint_file.drop_unknown(loaded) == [
        f'odd ({name} object)', f'rest ({name} object)', f'kind ({name})']
    assert loaded == dict(w=torch.ones(1))
    loaded = checkpoint_file.load(saved(tmp_path / 'x.pth', dict(rest=[dict(x=odd, y=3)])))
    assert checkpoint_file.drop_unknown(loaded) == [f'rest.0.x ({name} object)']
    assert loaded == dict(rest=[dict(y=3)])


INERT = {
    'dates': np.array(['2020-01-01'], 'datetime64[s]'), 'date': np.datetime64('2020-01-01'),
    'length': np.timedelta64(3, 's'), 'fields': np.zeros(2, [('a', 'i4')]),
    'record': np.zeros(2, [('a', 'i4')])[0], 'own': np.zeros(2).view(OwnState),
    'keywords': Keywords(), 'bytes': bytearray(b'abc')}


@pytest.mark.parametrize('protocol', [2, 4, 5])
@pytest.mark.parametrize('name', INERT)
def test_what_is_not_known_costs_nothing_but_itself(tmp_path, name, protocol):
    """Also where it is met again."""
    value = INERT[name]
    torch.save(dict(a=value, w=torch.ones(1), b=[value], c=np.arange(2)), tmp_path / 'x.pth',
               pickle_protocol=protocol)
    loaded = checkpoint_file.load(tmp_path / 'x.pth')
    assert type(loaded['a']) is Unknown and loaded['b'][0] is loaded['a']
    assert [n.split(' ')[0] for n in checkpoint_file.drop_unknown(loaded)][:2] == ['a', 'b']
    assert torch.equal(loaded['w'], torch.ones(1))
    assert protocol == 5 or loaded['c'].tolist() == [0, 1]


def test_what_is_no_checkpoint(tmp_path):
    path = tmp_path / 'x.pth'
    with pytest.raises(UserError, match='there is no checkpoint .*x.pth'):
        checkpoint_file.load(path)
    for content in (b'', b'x' * 100, pickle.dumps(dict(w=1))):
        path.write_bytes(content)
        with pytest.raises(UserError, match='torch.save has not written it, or it is damaged'):
            checkpoint_file.load(path)
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(path))
    with pytest.raises(UserError, match='a TorchScript archive, a program'):
        checkpoint_file.load(path)
    saved(path, torch.zeros(1000))
    with zipfile.ZipFile(path) as file, zipfile.ZipFile(
            tmp_path / 'y.pth', 'w', zipfile.ZIP_DEFLATED) as small:
        for name in file.namelist():
            small.writestr(name, file.read(name))
    with pytest.raises(UserError, match='it is compressed'):
        checkpoint_file.load(tmp_path / 'y.pth')


@pytest.mark.parametrize('first', ['storages', checkpoint_file._LEGACY.decode('latin1')])
def test_a_tar_file_is_not_unpacked(tmp_path, first):
    """It would be for releases before 0.1.10, with links; zip files are found by their end."""
    victim = tmp_path / 'victim'
    victim.write_text('mine')
    victim.chmod(0o600)
    with tarfile.open(tmp_path / 'x.pth', 'w', encoding='latin1') as file:
        for name in dict.fromkeys((first, 'storages')):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = tarfile.LNKTYPE, str(victim), 0o777
            file.addfile(member)
    with open(tmp_path / 'x.pth', 'ab') as file, zipfile.ZipFile(file, 'a') as end:
        end.writestr('x/data.pkl', 'x')
    with pytest.raises(UserError, match='torch.save has not written it, or it is damaged'):
        checkpoint_file.load(tmp_path / 'x.pth')
    assert victim.stat().st_mode & 0o777 == 0o600
