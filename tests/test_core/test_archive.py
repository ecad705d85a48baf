"""Zip files that one reader takes for data and another for more are not opened by any."""
import io
import pickle
import struct
import zipfile

import pytest
import torch

from mmlth.core import archive, checkpoint_file
from mmlth.core.errors import UserError

END, END64, LOCATOR = archive._END, archive._END64, archive._LOCATOR


def program():
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), file)
    return file.getvalue()


def compressed():
    plain, small = io.BytesIO(), io.BytesIO()
    torch.save(torch.zeros(10_000), plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(
            small, 'w', zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return small.getvalue()


def directory(content):
    """Where the directory of a zip file begins, its bytes, and where each entry begins in them."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        start = end = file.start_dir
    places = []
    while content[end:end + 4] == b'PK\x01\x02':
        places.append(end - start)
        end += 46 + sum(struct.unpack('<3H', content[end + 28:end + 34]))
    return start, content[start:end], places


def two_directories(content):
    """Python takes the harmless one, before the end; torch the one at the offset."""
    start, true, places = directory(content)
    false = bytearray(true.replace(b'constants.pkl', b'constants.pk_'))
    for at in places:
        false[at + 10:at + 12] = bytes(2)                   # stored,
        false[at + 24:at + 28] = false[at + 20:at + 24]     # and no larger than that
    return start, true, bytes(false), len(places)


def by_offset(content):
    start, true, false, count = two_directories(content)
    return content[:start] + true + false + END.pack(
        b'PK\x05\x06', 0, 0, count, count, len(true), start, 0)


def by_two_ends(content):
    """Python's end is the one before the locator, torch's the one that the locator names."""
    start, true, false, count = two_directories(content)
    ends = b''.join(END64.pack(b'PK\x06\x06', 44, 45, 45, 0, 0, count, count, len(true), offset)
                    for offset in (start, start + len(true)))
    there = start + len(true) + len(false)
    return content[:start] + true + false + ends + LOCATOR.pack(
        b'PK\x06\x07', 0, there, 1) + END.pack(
        b'PK\x05\x06', 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)


@pytest.mark.parametrize('forge', [by_offset, by_two_ends])
@pytest.mark.parametrize('content', [program, compressed])
def test_two_directories(tmp_path, monkeypatch, content, forge):
    run = []
    monkeypatch.setattr(torch.jit, 'load', lambda *args, **kwargs: run.append(1))
    (tmp_path / 'x.pth').write_bytes(forge(content()))
    with pytest.raises(UserError, match='its directory is not where its end says'):
        checkpoint_file.load(tmp_path / 'x.pth')
    assert not run


def test_what_follows_or_is_cut_off(tmp_path):
    torch.save(dict(w=torch.ones(2)), tmp_path / 'x.pth')
    content = (tmp_path / 'x.pth').read_bytes()
    for changed in (content + b'\0', content[:-2] + b'\x01\0x', content[:-1], content[:50],
                    b'PK\x03\x04'):
        (tmp_path / 'x.pth').write_bytes(changed)
        with pytest.raises(UserError, match='its directory is not where its end says'):
            checkpoint_file.load(tmp_path / 'x.pth')


def test_records_of_a_file_of_torch(tmp_path):
    torch.save(dict(w=torch.ones(3), b=torch.ones(5).half()), tmp_path / 'x.pth')
    found = archive.records(tmp_path / 'x.pth')
    assert (found['data/0'], found['data/1']) == (12, 10) and 'data.pkl' in found


def of_one_storage(key, count):
    """The pickle of a tensor that is a whole storage of float32."""
    return b''.join((
        b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n',
        pickle.dumps(key, 2)[2:-1], b'X\x03\0\0\0cpu', pickle.dumps(count, 2)[2:-1], b'tQK\0',
        pickle.dumps((count,), 2)[2:-1], b'K\x01\x85\x89ccollections\nOrderedDict\n)RtR.'))


@pytest.mark.parametrize('key, count, fits', [
    ('a', 2, True), ('a', 3, False), ('a', -1, False), ('b', 2, False),
    ('A', 2, False)])   # torch looks names up whatever the case: one record under many names
def test_a_storage_has_the_bytes_of_its_record(tmp_path, key, count, fits):
    with zipfile.ZipFile(tmp_path / 'x.pth', 'w') as file:
        for name, content in (('data.pkl', of_one_storage(key, count)), ('version', b'3\n'),
                              ('data/a', bytes(8))):
            file.writestr(f'x/{name}', content)
    if fits:
        assert checkpoint_file.load(tmp_path / 'x.pth').tolist() == [0, 0]
        return
    with pytest.raises(UserError, match=f"it lacks the bytes of storage '{key}'"):
        checkpoint_file.load(tmp_path / 'x.pth')


def test_records_that_share_their_bytes(tmp_path):
    """Ten names of one record of 10 kB in a file of 12 kB."""
    with zipfile.ZipFile(tmp_path / 'x.pth', 'w') as file:
        file.writestr('x/data.pkl', of_one_storage('0', 2500))
        file.writestr('x/version', '3\n')
        file.writestr('x/data/0', bytes(10_000))
        one = file.infolist()[-1]
        for number in range(1, 10):
            info = zipfile.ZipInfo(f'x/data/{number}')
            for key in ('header_offset', 'file_size', 'compress_size', 'CRC'):
                setattr(info, key, getattr(one, key))
            file.filelist.append(info)
    with pytest.raises(UserError, match='its records have more bytes than the file'):
        checkpoint_file.load(tmp_path / 'x.pth')


def test_a_name_twice(tmp_path, recwarn):
    with zipfile.ZipFile(tmp_path / 'x.pth', 'w') as file:
        for name in ('version', 'data.pkl', 'data.pkl'):
            file.writestr(f'x/{name}', '3\n')
    with pytest.raises(UserError, match='it has two records of one name'):
        checkpoint_file.load(tmp_path / 'x.pth')
