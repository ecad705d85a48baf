"""Files are written whole or not at all."""
import json
import os

import pytest

from mmlth.core.errors import UserError
from mmlth.core.files import link, remove_parts, whole_file, write_json, write_text


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_text_and_json(tmp_path):
    write_text(tmp_path / 'a' / 'b' / 'x.md', 'é\n')        # folders are made
    assert (tmp_path / 'a' / 'b' / 'x.md').read_bytes() == 'é\n'.encode()
    write_json(str(tmp_path / 'y.json'), {'b': [1, 2.5, None], 'a': 'é'})
    text = (tmp_path / 'y.json').read_text(encoding='utf-8')
    assert json.loads(text) == {'b': [1, 2.5, None], 'a': 'é'} and text.endswith('}\n')
    assert names(tmp_path) == ['a', 'y.json'] and names(tmp_path / 'a' / 'b') == ['x.md']


def test_the_final_name_appears_only_at_the_end(tmp_path):
    path = tmp_path / 'x'
    with whole_file(path) as part:
        part.write_text('half')
        assert part.parent == path.parent       # a rename within one file system
        assert not path.exists()
    assert path.read_text() == 'half' and names(tmp_path) == ['x']


@pytest.mark.parametrize('error', [OSError('disk full'), KeyboardInterrupt()])
@pytest.mark.parametrize('earlier', [True, False])
@pytest.mark.parametrize('written', [True, False])
def test_an_exception_leaves_what_was_there(tmp_path, error, earlier, written):
    path = tmp_path / 'x'
    if earlier:
        path.write_text('earlier')
    kind, message = ((UserError, 'x could not be written: disk full .* MB are free')
                     if isinstance(error, OSError) else (KeyboardInterrupt, ''))
    with pytest.raises(kind, match=message):
        with whole_file(path) as part:
            if written:
                part.write_text('half')
            raise error
    assert names(tmp_path) == ['x'] * earlier
    assert not earlier or path.read_text() == 'earlier'


def test_what_cannot_be_written_as_json_leaves_the_earlier_file(tmp_path):
    write_json(tmp_path / 'x.json', [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / 'x.json', [object()])
    assert json.loads((tmp_path / 'x.json').read_text()) == [1] and names(tmp_path) == ['x.json']


def test_the_bytes_are_on_disk_before_the_rename(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda f: (calls.append('fsync'), fsync(f)))
    monkeypatch.setattr(os, 'replace', lambda a, b: (calls.append('replace'), replace(a, b)))
    write_text(tmp_path / 'x', 'content')
    assert calls == ['fsync', 'replace']


def test_what_a_killed_process_has_left_is_removed(tmp_path):
    (tmp_path / 'round_1').mkdir()
    for name in ('.a.pth.123.part', 'round_1/.b.json.9.part', 'round_1/b.json', 'part', '.hidden'):
        (tmp_path / name).write_text('')
    remove_parts(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*')) == [
        '.hidden', 'part', 'round_1', 'round_1/b.json']


@pytest.mark.parametrize('links', [True, False])
def test_a_second_name(tmp_path, monkeypatch, links):
    def refuse(*args):
        raise OSError(95, 'Operation not supported')
    if not links:
        monkeypatch.setattr(os, 'link', refuse)
    (tmp_path / 'a').write_text('new')
    (tmp_path / 'b').write_text('old')
    link(tmp_path / 'a', tmp_path / 'b')
    assert os.path.samefile(tmp_path / 'a', tmp_path / 'b') == links
    (tmp_path / 'a').unlink()
    assert (tmp_path / 'b').read_text() == 'new' and names(tmp_path) == ['b']
