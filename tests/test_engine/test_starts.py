"""What tickets start from: the built-in ways by themselves, and one from outside."""
import json
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy import lottery_config, run_lottery

from mmlth.analysis.found.runs import read_run
from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.starts import Signs, kind_of, start_of
from mmlth.engine.verify import Violation, verify
from mmlth.registry import STARTS

OUTSIDE = '''
from mmlth.engine.starts import Start
from mmlth.registry import STARTS


class Halved(Start):
    """Half of the rewind point's weights."""
    words = 'half of the weights of'
    label = 'halved'

    def __init__(self, by=2):
        self.by = by

    def weights(self, point, trained, mask):
        return {name: tensor / self.by if name in mask else tensor
                for name, tensor in point.items()}


@STARTS.register_module(force=True)
class Mixed(Start):
    """The mean of the rewind point's weights and the trained ones."""
    label = 'mixed'

    def weights(self, point, trained, mask):
        return {name: (tensor + trained[name]) / 2 if name in mask else tensor
                for name, tensor in point.items()}
'''


@pytest.fixture
def outside(tmp_path, monkeypatch):
    (tmp_path / 'my_starts.py').write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield 'my_starts'
    sys.modules.pop('my_starts', None)
    STARTS.module_dict.pop('Mixed', None)


def started(folder, index):
    """A round's ticket, the rewind point, and the weights that the round before has left."""
    ticket = Ticket.load(folder / f'round_{index}' / paths.TICKET)
    return ticket, *(checkpoint_file.load(folder / path)['state_dict'] for path in (
        f'round_0/{paths.REWIND}', f'round_{index - 1}/{paths.FINAL}'))


def test_tickets_of_signs(tmp_path):
    """In the rounds behind the first, too, which have no RewindHook."""
    cfg = lottery_config(tmp_path, rounds=2, latency=False)
    cfg.default_hooks.rewind.mode = 'signs'
    run_lottery(cfg)
    for index in (1, 2):
        ticket, point, _ = started(tmp_path, index)
        for name, tensor in ticket.state.items():
            expected = point[name]
            if name in ticket.mask:
                expected = torch.sign(expected) * expected.std(unbiased=False)
                expected = expected * ticket.mask[name]
            torch.testing.assert_close(tensor, expected)
    assert any("as 'signs' makes them" in line for line in verify(tmp_path))
    assert 'starts from the signs, times' in (tmp_path / 'report.md').read_text()
    assert read_run(tmp_path).method == 'signs alone'


def test_verify_tells_signs_from_weights(tmp_path):
    cfg = lottery_config(tmp_path, latency=False)
    run_lottery(cfg)
    path = tmp_path / 'round_1' / paths.TICKET
    ticket = Ticket.load(path)
    assert 'mode' not in ticket.meta        # of weights as they are
    ticket.meta['mode'] = dict(type='signs')
    ticket.save(path)
    with pytest.raises(Violation, match='start weights of .* are not mask x'):
        verify(path)
    ticket.meta['mode'] = dict(type='of_a_package_that_is_gone')
    ticket.save(path)
    assert 'start weights not compared' in verify(path)[0]


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=9))
def test_signs_keep_the_signs_and_one_size(values):
    tensor = torch.tensor(values)
    found = Signs().weights(dict(a=tensor, b=tensor), {}, dict(a=tensor > 0))
    assert torch.equal(found['b'], tensor)
    assert torch.equal(torch.sign(found['a']), torch.sign(tensor)) or tensor.abs().max() < 1e-18
    assert len(found['a'].abs()[tensor != 0].unique()) <= 1


@pytest.mark.parametrize('mode, label, kept', [
    (dict(type='my_starts.Halved', by=4), None, lambda point, last: point / 4),
    ('Mixed', 'mixed', lambda point, last: (point + last) / 2)])
def test_a_start_from_outside(tmp_path, outside, mode, label, kept):
    cfg = lottery_config(tmp_path / 'run', rounds=2, latency=False,
                         custom_imports=dict(imports=[outside], allow_failed_imports=False))
    __import__(outside)     # as reading a config file does
    cfg.default_hooks.rewind.mode = mode
    run_lottery(cfg)
    for index in (1, 2):
        ticket, point, last = started(tmp_path / 'run', index)
        for name, keep in ticket.mask.items():
            torch.testing.assert_close(ticket.state[name], kept(point[name], last[name]) * keep)
    noted = json.loads((tmp_path / 'run' / paths.LOTTERY).read_text())['spec']
    assert noted['mode'] == mode
    assert verify(tmp_path / 'run')
    # It is read where the package is not installed.
    STARTS.module_dict.pop('Mixed', None)
    assert verify(tmp_path / 'run')
    assert read_run(tmp_path / 'run').method == ('Halved' if label is None else 'Mixed')


def test_the_label_is_that_of_the_class(tmp_path, outside):
    __import__(outside)
    cfg = lottery_config(tmp_path / 'run', latency=False)
    cfg.default_hooks.rewind.mode = 'Mixed'
    run_lottery(cfg)
    assert read_run(tmp_path / 'run').method == 'mixed'


@pytest.mark.parametrize('mode, message', [
    ('nothing', "unknown start 'nothing', expected one of: finetune, lr, signs, weights"),
    ('torch.nn.Linear', "mode='torch.nn.Linear' is no mmlth.engine.starts.start.Start"),
    (dict(type='lr', by=3), "start 'lr': "), (dict(by=3), 'unknown start None'), (7, 'start 7')])
def test_what_is_no_start(mode, message):
    with pytest.raises(UserError, match=message):
        start_of(mode)


def test_arguments_that_no_ticket_can_note(outside):
    with pytest.raises(UserError, match='that no ticket can note: Object of type Tensor'):
        start_of(dict(type='my_starts.Halved', by=torch.ones(2)))


def test_a_class_and_files_that_name_one():
    assert isinstance(start_of(Signs), Signs)
    assert kind_of('mmlth.signs') is kind_of(dict(type='signs')) is kind_of(str(Signs)) is Signs
    assert kind_of('of_a_package_that_is_gone') is None
