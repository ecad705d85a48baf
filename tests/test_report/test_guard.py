"""What fails is left out with its reason; the rest is there."""
import pytest

from mmlth.core.errors import UserError
from mmlth.core.files import why_not_writable
from mmlth.report import Figure, Section, Series, write_report
from mmlth.report.guard import Guard
from mmlth.report.write import check_folder


def fails(error):
    raise error


def test_a_guard_tells_mistakes_of_users_from_those_of_the_program(capsys):
    said, guard = [], None
    guard = Guard(said.append)
    assert guard.run('fine', lambda: 3) == 3
    assert guard.run('nothing', lambda: fails(UserError('there is none'))) is None
    assert guard.run('broken', lambda: fails(KeyError('x'))) is None
    assert guard.skipped == {'nothing': 'there is none'}
    assert guard.failed == {'broken': "KeyError: 'x'"}
    assert said == ["broken: left out, for it failed: KeyError: 'x'"]
    assert 'Traceback' in capsys.readouterr().err
    assert guard.text() == "Left out, for it failed: broken (KeyError: 'x')."
    with pytest.raises(KeyboardInterrupt):
        guard.run('stopped', lambda: fails(KeyboardInterrupt()))


def test_a_figure_that_cannot_be_drawn_costs_only_itself(tmp_path):
    good = Figure('good', 'lines', 'Good.', 'x', 'y', [Series('a', [1, 2], [1, 2])])
    bad = Figure('bad', 'lines', 'Bad.', 'x', 'y', [Series('b', [1, 2], ['no number', 2])])
    guard = Guard()
    write_report([Section('one', 'One', 'Text.', [dict(a=1)], dict(a='a'), [bad, good])], tmp_path,
                 'Title', guard=guard)
    text = (tmp_path / 'report.md').read_text()
    assert (tmp_path / 'figures/good.svg').is_file() and not (tmp_path / 'figures/bad.svg').exists()
    assert 'The figure bad is left out: ' in text and '|   1 |' in text
    assert list(guard.failed) == ['figure bad']


def test_a_folder_is_checked_before_the_work(tmp_path):
    check_folder(tmp_path / 'new')
    (tmp_path / 'file').write_text('')
    assert 'could not be written' in why_not_writable(tmp_path / 'file' / 'inner')
    with pytest.raises(UserError, match='could not be written'):
        check_folder(tmp_path / 'file')
    (tmp_path / 'new' / 'report.html').write_text('mine')
    with pytest.raises(UserError, match='would be lost'):
        check_folder(tmp_path / 'new')
    assert sorted(p.name for p in (tmp_path / 'new').iterdir()) == ['report.html']
