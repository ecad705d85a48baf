"""A teacher that is the average of the student with the masks has its zeros."""
import json
import re

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from toy import lottery_config, run_lottery
from toy_teacher import MEAN_TEACHER, semi_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.checkpoints import masks_of
from mmlth.engine.preview import preview
from mmlth.engine.verify import Violation, verify

EMA = dict(type='EMAHook', momentum=0.3)
GRADUAL = dict(prune=dict(update=dict(type='gradual', interval=2)), rewind=dict(to='0it'))


@HOOKS.register_module(force=True)
class FirstTeacher(Hook):
    """Keeps the teacher that a round begins with, and looks for weights that come back."""
    priority = 'LOWEST'
    found = {}

    def before_train(self, runner):
        self.found[runner.work_dir[-7:]] = {
            name: param.detach().clone() for name, param in runner.model.named_parameters()}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        params = dict(runner.model.named_parameters())
        for name, keep in (getattr(runner.optim_wrapper, 'mask', None) or {}).items():
            assert not params[teacher(name)][~keep].any(), (runner.iter, name)


def teacher(name):
    return name.replace('student', 'teacher')


def load(path):
    return checkpoint_file.load(path)


@pytest.fixture(scope='module')
def resumed(tmp_path_factory):
    root = tmp_path_factory.mktemp('resumed')
    run_lottery(semi_config(root, schedule='resume',
                            hooks=[MEAN_TEACHER, dict(type='FirstTeacher')]))
    return root


def test_the_teacher_goes_on_from_its_own_weights_times_the_mask(resumed):
    point = load(resumed / 'round_0' / paths.REWIND)['state_dict']
    mask = Ticket.load(resumed / 'round_1' / paths.TICKET).mask
    for name in mask:
        copy = teacher(name)
        assert not torch.equal(point[copy], point[name])
        expected = point[copy].masked_fill(~mask[name], 0)
        assert torch.equal(FirstTeacher.found['round_1'][copy], expected), name


def test_where_the_student_starts_otherwise_the_teacher_starts_from_it(tmp_path):
    run_lottery(semi_config(tmp_path, schedule='resume', default_hooks=dict(
        rewind=dict(mode='signs')), hooks=[MEAN_TEACHER, dict(type='FirstTeacher')]))
    start = FirstTeacher.found['round_1']
    for name in Ticket.load(tmp_path / 'round_1' / paths.TICKET).mask:
        assert start[name].any() and torch.equal(start[teacher(name)], start[name]), name


@pytest.mark.parametrize('hooks, options', [
    ([], dict(default_hooks=GRADUAL)),
    ([EMA], dict(schedule='resume')),
], ids=['gradual', 'ema'])
def test_its_zeros_are_in_every_file_and_are_counted(tmp_path, hooks, options):
    run_lottery(semi_config(
        tmp_path, hooks=[MEAN_TEACHER, dict(type='FirstTeacher'), *hooks], **options))
    for name in ('iter_12.pth', paths.FINAL):
        checkpoint = load(tmp_path / 'round_1' / name)
        mask = masks_of(checkpoint['mmlth'])
        states = {'': checkpoint['state_dict'], 'module.': checkpoint.get('ema_state_dict', {})}
        for prefix, state in states.items():
            for copied in [(n, teacher(n)) for n in mask] if state else []:
                for place in copied:
                    assert not state[prefix + place][~mask[copied[0]]].any(), (name, place)
                    assert state[prefix + place][mask[copied[0]]].any(), (name, place)
    assert any('zero' in line and 'the teacher too' in line for line in verify(tmp_path))
    entry = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds'][1]
    report = json.loads((tmp_path / 'round_1' / paths.SPARSITY).read_text())
    zeros = report['scope']['zeros']
    assert zeros == 339 and report['network']['zeros'] == 2 * zeros
    assert entry['network_sparsity'] == 2 * zeros / report['network']['weights']


@pytest.mark.parametrize('change, message', [
    (lambda c: c['state_dict']['teacher.backbone.3.weight'].add_(1),
     'teacher.backbone.3.weight has .* that are not 0'),
    (lambda c: c['mmlth'].update(copies={'student.head.weight': 3}), 'copies is malformed'),
    (lambda c: c['mmlth'].update(copies={'other': 'teacher.head.weight'}), 'copies is malformed'),
    (lambda c: c['mmlth'].update(copies=None), 'copies is malformed')])
def test_verify_reads_them(resumed, tmp_path, change, message):
    checkpoint = load(resumed / 'round_1' / paths.FINAL)
    change(checkpoint)
    torch.save(checkpoint, tmp_path / 'changed.pth')
    with pytest.raises(Violation, match=message):
        verify(tmp_path / 'changed.pth')


def test_a_file_without_their_names_is_read_as_before(resumed, tmp_path):
    checkpoint = load(resumed / 'round_1' / paths.FINAL)
    del checkpoint['mmlth']['copies']
    torch.save(checkpoint, tmp_path / 'old.pth')
    assert 'the teacher too' not in verify(tmp_path / 'old.pth')[0]


def test_a_teacher_that_nothing_averages_stays_as_it_is(tmp_path):
    run_lottery(semi_config(tmp_path, hooks=[]))
    first, last = (load(tmp_path / f'round_{r}' / paths.FINAL) for r in (0, 1))
    for name in first['state_dict']:
        if name.startswith('teacher') and name.endswith('weight'):
            assert torch.equal(first['state_dict'][name], last['state_dict'][name])
    assert 'copies' not in last['mmlth']
    log = ''.join(path.read_text() for path in (tmp_path / 'round_1').glob('*/*.log'))
    assert log.count('it is taken for a fixed one, and stays dense') == 1
    verify(tmp_path)


def test_what_the_teacher_computes_counts_as_the_students(tmp_path):
    cfg = semi_config(tmp_path, default_hooks=dict(prune=dict(allocation='compute')))
    run_lottery(cfg)
    costs = Ticket.load(tmp_path / 'round_1' / paths.TICKET).meta['costs']
    assert costs == {'student.backbone.0.weight': 16, 'student.backbone.3.weight': 16,
                     'student.head.weight': 1}
    entry = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds'][1]
    assert entry['compute_sparsity'] == pytest.approx(0.8, abs=1e-3)
    verify(tmp_path)


def test_an_image_that_reaches_nothing_in_scope_is_refused(tmp_path):
    """The scope is a head that is never called: nothing is trained for it."""
    cfg = lottery_config(tmp_path, model=dict(type='TwoHeads'), default_hooks=dict(
        prune=dict(allocation='compute', scope=['other_head'])))
    with pytest.raises(UserError, match=re.escape(
            "PruneHook(allocation='compute'): the image that multiply-adds are counted on reaches "
            'none of the 1 layers in scope, the first is other_head.weight')):
        run_lottery(cfg)
    assert not list((tmp_path / 'round_0').glob('*.pth'))


def test_the_preview_counts_the_teachers_zeros(tmp_path):
    cfg = semi_config(tmp_path)
    alone = preview(semi_config(tmp_path, hooks=[]))['network_sparsity']
    assert preview(cfg)['network_sparsity'] == pytest.approx(2 * alone)
