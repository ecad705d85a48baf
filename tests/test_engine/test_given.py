"""A lottery whose dense model is there already: the same ticket as if round 0 had trained it."""
import json
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from toy import lottery_config, run_lottery, toy_config

from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.found.runs import find_runs
from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.chain import given
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.preflight import check_settings
from mmlth.engine.chain.state import read_lottery
from mmlth.engine.chain.table import table
from mmlth.engine.given import read_given
from mmlth.engine.verify import verify

EMA = [dict(type='EMAHook', momentum=0.3)]
SCHEDULE = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=6),
            dict(type='MultiStepLR', milestones=[2], gamma=0.5, by_epoch=True)]


def stock(root, hooks, **override):
    """Three epochs of four iterations with mmengine's own Runner: ``epoch_1.pth`` to 3."""
    cfg = toy_config(root, by_epoch=True, custom_hooks=hooks, param_scheduler=SCHEDULE, **override)
    Runner.from_cfg(cfg).train()
    return root


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    return stock(tmp_path_factory.mktemp('plain'), [])


@pytest.fixture(scope='module')
def averaged(tmp_path_factory):
    return stock(tmp_path_factory.mktemp('averaged'), EMA)


@pytest.fixture(scope='module')
def published(plain):
    """As publish_model.py makes one: meta and state_dict alone; and here no count either."""
    loaded = checkpoint_file.load(plain / 'epoch_3.pth')
    torch.save(dict(meta={}, state_dict=loaded['state_dict']), plain / 'published.pth')
    return plain / 'published.pth'


def config(work_dir, dense, point=None, prune=None, rewind=None, hooks=(), **kwargs):
    cfg = lottery_config(work_dir, by_epoch=True, custom_hooks=list(hooks),
                         param_scheduler=SCHEDULE, **kwargs)
    cfg.default_hooks.prune.update(dense=str(dense), **(prune or {}))
    cfg.default_hooks.rewind.update({**({'point': str(point)} if point else {}), **(rewind or {})})
    return cfg


def weights(path):
    return checkpoint_file.load(path)['state_dict']


def same(one, other):
    return set(one) == set(other) and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize('hooks, rewind', [
    ([], dict(schedule='resume')), (EMA, dict(schedule='resume')), (EMA, dict(mode='lr')),
    ([], dict(mode='finetune', length='50%'))],
    ids=['weights', 'weights averaged', 'trained averaged', 'fine-tuned'])
def test_the_ticket_is_the_one_of_a_lottery_that_trains(request, tmp_path, hooks, rewind):
    """Mask, start weights, metrics and trained ticket, bit for bit; the right copies of an EMA."""
    folder = request.getfixturevalue('averaged' if hooks else 'plain')
    point = folder / 'epoch_1.pth' if rewind.get('schedule') == 'resume' else None
    run_lottery(config(tmp_path / 'given', folder / 'epoch_3.pth', point, None, rewind, hooks))
    own = lottery_config(tmp_path / 'own', by_epoch=True, to='1ep', custom_hooks=hooks,
                         param_scheduler=SCHEDULE)
    own.default_hooks.rewind.update(rewind)
    run_lottery(own)
    one, other = (Ticket.load(tmp_path / name / 'round_1' / paths.TICKET)
                  for name in ('given', 'own'))
    assert one.digest() == other.digest() and same(one.state, other.state)
    assert one.meta['learning_rates'] == other.meta['learning_rates']
    for index in (0, 1):
        one, other = (tmp_path / name / f'round_{index}' / paths.FINAL for name in ('given', 'own'))
        assert same(weights(one), weights(other)), index
    taken, own = (read_lottery(tmp_path / name / paths.LOTTERY)['rounds']
                  for name in ('given', 'own'))
    for key in ('metrics', 'iterations', 'planned_iterations', 'scope_sparsity'):
        assert [entry[key] for entry in taken] == [entry[key] for entry in own]
    assert own[0]['given'] is None and taken[0]['given']['dense']['averaged'] == bool(hooks)
    lines = '\n'.join(verify(tmp_path / 'given'))
    assert f'round_0/final.pth: its weights are those of {folder / "epoch_3.pth"}' in lines
    assert 'start weights are mask x ' + (
        'round_0/rewind.pth' if point else f'{folder.name}/epoch_3.pth') in lines
    # And what was kept with it is nothing of a training.
    assert not list((tmp_path / 'given' / 'round_0').glob('epoch_*.pth'))
    assert not (tmp_path / 'given' / 'round_0' / paths.CURVES).exists()


def test_a_published_file(tmp_path, published):
    """Its length is not known, and no number is made up; fine-tuning ends as the schedule does."""
    cfg = config(tmp_path, published, rewind=dict(mode='finetune', length='1ep'))
    run_lottery(cfg)
    assert Ticket.load(tmp_path / 'round_1' / paths.TICKET).meta['learning_rates'] == [0.05]
    rounds = read_lottery(tmp_path / paths.LOTTERY)['rounds']
    assert rounds[0]['metrics'] and rounds[0]['given']['rewind'] is None
    text = table(rounds, cfg, LotterySpec.of(cfg))
    dense, ticket = text.splitlines()[2:]
    assert '| 0 (given, published.pth) |' in dense and dense.count('not known') == 3
    assert ticket.count('not known') == 2 and '| 4 ' in ticket
    page = (tmp_path / paths.REPORT).with_suffix('.md').read_text()
    assert 'trained elsewhere (how long is not known)' in page
    assert 'start weights are mask x' in '\n'.join(verify(tmp_path))
    run, = find_runs([tmp_path]).runs
    assert run.dense.trained_fully and run.ticket.length.chain is None
    group, = group_runs([run])
    assert group.dense(group.metrics[0]) == {3: rounds[0]['metrics']['toy/AP']}


def test_of_our_own_lottery_in_two_rounds(tmp_path):
    """``final.pth`` and ``rewind.pth`` of one are the dense model and the point of another."""
    run_lottery(lottery_config(tmp_path / 'own', to='4it'))
    first = tmp_path / 'own' / 'round_0'
    cfg = lottery_config(tmp_path / 'given', rounds=2)
    cfg.default_hooks.prune.dense = str(first / paths.FINAL)
    cfg.default_hooks.rewind.point = str(first / paths.REWIND)
    run_lottery(cfg)
    rounds = read_lottery(tmp_path / 'given' / paths.LOTTERY)['rounds']
    assert [entry['iterations'] for entry in rounds] == [12, 12, 12]
    assert rounds[0]['rewind_iteration'] == 4
    assert 'start weights are mask x round_0/rewind.pth' in '\n'.join(verify(tmp_path / 'given'))
    found = find_runs([tmp_path / 'given', tmp_path / 'own'])
    assert len(group_runs(found.runs)) == 2     # of two dense models: they are not averaged
    run = next(run for run in found.runs if run.folder.name == 'given')
    assert run.settings['to'] == '4it' and run.settings['dense'] == 'given'


def test_with_a_transfer_a_control_and_an_update(tmp_path, plain):
    """The mask is another's, or none, or comes while the trained weights go on."""
    run_lottery(config(tmp_path / 'one', plain / 'epoch_3.pth', rewind=dict(mode='lr')))
    source = tmp_path / 'one' / 'round_1' / paths.TICKET
    for name, prune in (('two', dict(transfer=dict(source=str(source), mapping='same'))),
                        ('three', dict(control='dense')),
                        ('four', dict(update=dict(type='gradual', interval=2)))):
        cfg = config(tmp_path / name, plain / 'epoch_3.pth', prune=prune, rewind=dict(mode='lr'))
        if 'transfer' in prune:
            for key in ('sparsity', 'rounds'):
                cfg.default_hooks.prune.pop(key)
        run_lottery(cfg)
        verify(tmp_path / name)
    tickets = [Ticket.load(tmp_path / name / 'round_1' / paths.TICKET)
               for name in ('one', 'two', 'three', 'four')]
    assert tickets[1].digest() == tickets[0].digest()
    trained = checkpoint_file.load(plain / 'epoch_3.pth')['state_dict']
    for ticket in tickets[2:]:
        assert torch.equal(ticket.state['head.weight'], trained['head.weight'])
    assert read_lottery(tmp_path / 'four' / paths.LOTTERY)['rounds'][1]['scope_sparsity'] == (
        pytest.approx(0.8, abs=1e-2))


@HOOKS.register_module(force=True)
class KilledInValidation(Hook):
    kill = False

    def after_val_iter(self, runner, **kwargs):
        if self.kill:
            raise KeyboardInterrupt


def test_killed_and_resumed(tmp_path, plain, monkeypatch):
    """In round 0 the file is needed, and must be the same; behind it, not any more."""
    dense, point = (tmp_path / name for name in ('dense.pth', 'point.pth'))
    for name, path in (('epoch_3.pth', dense), ('epoch_1.pth', point)):
        shutil.copy(plain / name, path)
    cfg = config(tmp_path / 'run', dense, point, hooks=[dict(type='KilledInValidation')])
    monkeypatch.setattr(KilledInValidation, 'kill', True)
    with pytest.raises(KeyboardInterrupt):
        run_lottery(cfg)
    shutil.copy(plain / 'epoch_2.pth', dense)
    with pytest.raises(UserError, match='another file than the one that this lottery was begun'):
        run_lottery(cfg, resume=True)
    dense.unlink()
    with pytest.raises(UserError, match=f'there is no checkpoint {dense}'):
        run_lottery(cfg, resume=True)
    shutil.copy(plain / 'epoch_3.pth', dense)
    with pytest.raises(KeyboardInterrupt):
        run_lottery(cfg, resume=True)
    monkeypatch.setattr(KilledInValidation, 'kill', False)
    run_lottery(cfg, resume=True)
    (tmp_path / 'run' / 'round_1' / paths.FINAL).unlink()
    dense.unlink()
    run_lottery(cfg, resume=True)
    assert f'not compared with {dense}' in '\n'.join(verify(tmp_path / 'run'))
    run_lottery(config(tmp_path / 'whole', plain / 'epoch_3.pth', plain / 'epoch_1.pth'))
    assert same(*(weights(tmp_path / name / 'round_1' / paths.FINAL) for name in ('run', 'whole')))
    cfg.default_hooks.prune.dense = True
    cfg.default_hooks.rewind.point = None
    with pytest.raises(UserError, match='default_hooks.prune.dense was'):
        run_lottery(cfg, resume=True)


def test_verify_finds_what_is_not_the_given_files(tmp_path, plain):
    run_lottery(config(tmp_path, plain / 'epoch_3.pth', plain / 'epoch_1.pth'))
    for name in (paths.FINAL, paths.REWIND):
        path = tmp_path / 'round_0' / name
        before, loaded = path.read_bytes(), torch.load(path, weights_only=False)
        loaded['state_dict']['backbone.1.running_mean'] += 1
        torch.save(loaded, path)
        rounds = json.loads((tmp_path / paths.LOTTERY).read_text())
        rounds['rounds'][0]['checkpoint_bytes'] = None
        (tmp_path / paths.LOTTERY).write_text(json.dumps(rounds))
        with pytest.raises(UserError, match=r'running_mean is not|running_mean are not'):
            verify(tmp_path)
        path.write_bytes(before)


def changed(path, out, change):
    loaded = torch.load(path, map_location='cpu', weights_only=False)
    change(loaded)
    torch.save(loaded, out)
    return out


def prune(loaded):
    weight = loaded['state_dict']['backbone.0.weight']
    weight.view(-1)[::3] = 0


def die(loaded):
    loaded['state_dict']['backbone.0.weight'][2:4] = 0


CHANGES = {
    'missing': lambda c: c['state_dict'].pop('head.weight'),
    'unexpected': lambda c: c['state_dict'].update({'neck.weight': torch.ones(2)}),
    'classes': lambda c: c['state_dict'].update({'head.weight': torch.ones(5, 8)}),
    'nan': lambda c: c['state_dict']['head.bias'].fill_(float('nan')),
    'zeros': prune,
    'early': lambda c: c['meta'].update(rewind_point=True),
    'seed': lambda c: c['meta'].update(seed=8),
    'averaged': lambda c: c.update(ema_state_dict={
        'steps': torch.tensor(3), **{f'module.{n}': t for n, t in c['state_dict'].items()}}),
    'weights alone': lambda c: [c.pop(k) for k in ('optimizer', 'message_hub', 'param_schedulers')],
    'plateau': lambda c: c['param_schedulers'].append(dict(monitor='toy/AP'))}
REFUSED = {
    'missing': ('dense', {}, '1 missing: head.weight.*another number of classes'),
    'unexpected': ('dense', {}, '1 unexpected: neck.weight'),
    'classes': ('point', {}, r'head.weight \(\(5, 8\) in the file, \(3, 8\) in the model\)'),
    'nan': ('dense', {}, 'head.bias has values that are not finite'),
    'zeros': ('dense', {}, r'is pruned already \(33% of the weights of backbone.0.weight are '
                           'single zeros'),
    'early': ('dense', {}, 'is a rewind point, an early state of a training'),
    'seed': ('point', {}, 'of a training with seed 8, .* of one with seed 3'),
    'averaged': ('dense', {}, 'this config has no EMAHook'),
    'weights alone': ('point', dict(schedule='resume'), 'has no optimizer, message_hub: published'),
    'plateau': ('point', dict(schedule='resume'), "follows the metric 'toy/AP'")}


@pytest.mark.parametrize('name', REFUSED)
def test_files_are_refused_before_anything_runs(tmp_path, plain, name):
    which, rewind, message = REFUSED[name]
    files = dict(dense=plain / 'epoch_3.pth', point=plain / 'epoch_1.pth')
    files[which] = changed(files[which], tmp_path / 'changed.pth', CHANGES[name])
    with pytest.raises(UserError, match=message):
        check_settings(config(tmp_path / 'run', **files, rewind=rewind))
    assert not (tmp_path / 'run').exists()


SETTINGS = {
    'nobody saved': (dict(), {}, {}, {}, 'nobody has saved that point of its training. Give an '
                     "early checkpoint .*--rewind.*mode='finetune' or mode='lr'.*leave --dense"),
    'resume': (dict(), {}, dict(mode='lr', schedule='resume'), {}, 'Give a checkpoint that this '
               r"training has saved early.*schedule='restart'"),
    'later': (dict(dense='epoch_1.pth', point='epoch_3.pth'), {}, {}, {},
              'is of iteration 12, not before .*epoch_1.pth.*iteration 4'),
    'itself': (dict(point='epoch_3.pth'), {}, {}, {}, "is the dense model itself.*mode='lr'"),
    'gone': (dict(dense='gone.pth'), {}, dict(mode='lr'), {}, 'there is no checkpoint'),
    'snip': (dict(), dict(score='snip'), dict(mode='lr'), {},
             "score='snip' at='start' draws the mask before .*at='end'.*dense=False"),
    'early bird': (dict(), {}, dict(mode='lr'), dict(
        early_bird=dict(type='mmlth.EarlyBirdHook')), 'EarlyBirdHook watches the dense model'),
    'point alone': (dict(point='epoch_1.pth'), dict(dense=True), {}, {},
                    r'name it with PruneHook\(dense=CHECKPOINT\)'),
    'no path': (dict(), dict(dense=3), {}, {}, 'dense must be True, False or the path')}


@pytest.mark.parametrize('name', SETTINGS)
def test_settings_are_refused_before_anything_runs(tmp_path, plain, name):
    files, prune, rewind, hooks, message = SETTINGS[name]
    files = {key: plain / value for key, value in {'dense': 'epoch_3.pth', **files}.items()}
    cfg = config(tmp_path / 'run', **files, rewind=rewind)
    cfg.default_hooks.prune.update(prune)
    cfg.default_hooks.update(hooks)
    with pytest.raises(UserError, match=message):
        check_settings(Config(cfg.to_dict()))


def test_a_ticket_is_no_dense_model_but_its_round_0_is(tmp_path, plain):
    run_lottery(config(tmp_path / 'one', plain / 'epoch_3.pth', rewind=dict(mode='lr')))
    ticket = tmp_path / 'one' / 'round_1'
    for path in (ticket / paths.FINAL, ticket / 'epoch_1.pth'):
        with pytest.raises(UserError, match="is pruned already .*339 of 424 weights, by the "
                           "checkpoint's masks.*transfer"):
            check_settings(config(tmp_path / 'two', path, rewind=dict(mode='lr')))
    check_settings(config(tmp_path / 'two', tmp_path / 'one' / 'round_0' / paths.FINAL,
                          rewind=dict(mode='lr')))


def test_dead_filters_are_told_and_no_ticket(tmp_path, plain, monkeypatch):
    said = []
    monkeypatch.setattr(given, 'print_log', lambda text, *args: said.append(text))
    dead = changed(plain / 'epoch_3.pth', tmp_path / 'dead.pth', die)
    check_settings(config(tmp_path / 'run', dead, rewind=dict(mode='lr')))
    assert 'backbone.0.weight (2 of 8)' in said[0] and len(said) == 1


def test_an_address_is_noted_with_its_file(tmp_path, published, monkeypatch):
    """mmengine's own loader has it in its cache; no network is needed."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    (tmp_path / 'hub/checkpoints').mkdir(parents=True)
    shutil.copy(published, tmp_path / 'hub/checkpoints/published.pth')
    address = 'https://example.invalid/published.pth'
    check_settings(config(tmp_path / 'run', address, rewind=dict(mode='lr')))
    note = read_given(address).note()
    assert note == {**read_given(published).note(), 'file': address}
    given.check_same_files(dict(dense=note, rewind=None))


def test_another_batch_size_cannot_resume_the_schedule(tmp_path, plain):
    cfg = config(tmp_path, plain / 'epoch_3.pth', plain / 'epoch_1.pth',
                 rewind=dict(schedule='resume'))
    cfg.train_dataloader.batch_size = 8
    with pytest.raises(UserError, match='iteration 4, epoch 1, but here that epoch ends at '
                       r"iteration 3 \(3 in each\).*schedule='restart'"):
        run_lottery(cfg)
