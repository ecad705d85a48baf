"""Each invariant of a finished lottery, broken on purpose, is named."""
import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from toy import lottery_config, run_lottery, toy_config

from mmlth.core import Ticket, checkpoint_file, control_mask, paths
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.engine.checkpoints import checkpoint_entry
from mmlth.engine.verify import Violation, verify
from mmlth.engine.verify.drawn import check_drawn
from mmlth.engine.verify.folder import check_folder
from mmlth.engine.verify.ticket import check_ticket

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'verify.py'
NAME = 'backbone.0.weight'
NAMES = ['backbone.0.weight', 'backbone.1.weight', 'backbone.1.bias', 'backbone.3.weight',
         'backbone.3.bias', 'head.weight', 'head.bias']


def config(work_dir, **options):
    cfg = lottery_config(work_dir, rounds=2, **options)
    cfg.default_hooks.checkpoint.update(save_best='toy/AP', rule='greater')
    return cfg


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The work dirs of lotteries; not to be changed."""
    root = tmp_path_factory.mktemp('finished')
    plain = config(root / 'plain')
    plain.default_hooks.early_bird = dict(type='mmlth.EarlyBirdHook', interval=4)
    ema = config(root / 'ema')
    ema.custom_hooks = [dict(type='EMAHook', momentum=0.3)]
    trained = config(root / 'trained', default_hooks=dict(rewind=dict(mode='lr')))
    trained.custom_hooks = [dict(type='EMAHook', momentum=0.3)]
    for cfg in (plain, ema, trained):
        run_lottery(cfg)
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def work(finished, tmp_path):
    """A copy of a lottery's work dir, to break."""
    def make(kind='plain'):
        return Path(shutil.copytree(finished[kind], tmp_path / kind))
    return make


def edit(path, change):
    """Change a checkpoint in place, and its size in lottery.json."""
    checkpoint = checkpoint_file.load(path)
    change(checkpoint)
    torch.save(checkpoint, path)
    note_size(path, 'checkpoint')


def edit_ticket(path, change):
    """Change a ticket in place, with a right checksum, and its size in lottery.json."""
    ticket = Ticket.load(path)
    change(ticket)
    ticket.save(path)
    note_size(path, 'ticket')


def note_size(path, key):
    def change(lottery):
        for entry in lottery['rounds']:
            if entry[key] == f'{path.parent.name}/{path.name}':
                entry[f'{key}_bytes'] = path.stat().st_size
    edit_json(path.parent.parent / paths.LOTTERY, change)


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def pruned_at(mask, name=NAME):
    return tuple((~mask[name]).nonzero()[0])


def revive(value, key='state_dict', prefix=''):
    """Give one pruned weight of a checkpoint a value."""
    def change(checkpoint):
        packed = checkpoint['mmlth']['masks'][NAME]
        keep = masks.unpack(packed['bits'], packed['shape'])
        checkpoint[key] = copy.deepcopy(checkpoint[key])
        checkpoint[key][prefix + NAME][pruned_at({NAME: keep})] = value
    return change


def refused(path, *messages):
    with pytest.raises(Violation) as caught:
        verify(path)
    for text in messages:
        assert str(text) in str(caught.value), str(caught.value)


@pytest.mark.parametrize('kind', ['plain', 'ema', 'trained'])
def test_a_lottery_holds_what_it_promises(finished, kind):
    lines = verify(finished[kind])
    twin = '' if kind == 'plain' else ', EMA too'
    assert ('round_2/iter_12.pth: 339 of 424 weights in scope are zero'
            f'{twin}, optimizer holds the survivors only') in lines
    assert f'round_2/best_toy_AP_iter_12.pth: 339 of 424 weights in scope are zero{twin}' in lines
    assert f'round_0/iter_12.pth: dense, all weights finite{twin}' in lines
    source = ['round_0/iter_12.pth', 'round_1/iter_12.pth'] if kind == 'trained' else (
        ['round_0/rewind.pth'] * 2)
    assert ('round_1/ticket.safetensors: 234 of 424 weights in scope pruned, as sparsity '
            f'0.55279 says, mask drawn again of round_0/iter_12.pth, start weights are mask x '
            f'{source[0]}') in lines
    assert ('round_2/ticket.safetensors: 339 of 424 weights in scope pruned, as sparsity 0.8 '
            'says, all that the round before pruned, mask drawn again of round_1/iter_12.pth, '
            f'start weights are mask x {source[1]}') in lines
    candidates = [line for line in lines if 'candidate_' in line]
    assert len(candidates) == (3 if kind == 'plain' else 0)
    assert 'lottery.json: valid, 3 of 3 rounds are done' == lines[0]


def test_the_parts_of_a_lottery(finished):
    folder = finished['plain'] / 'round_2'
    assert verify(finished['plain'] / paths.LOTTERY) == verify(finished['plain'])
    assert any(line.startswith('iter_12.pth: 339 of 424') for line in verify(folder))
    ticket, = verify(folder / paths.TICKET)
    assert ticket.endswith('start weights are mask x round_0/rewind.pth')
    assert verify(folder / 'iter_12.pth') == [
        'iter_12.pth: 339 of 424 weights in scope are zero, optimizer holds the survivors only']


def test_names_of_the_optimizer(finished):
    """As torch numbers them; shared ones by their first name; not without an optimizer."""
    for r in (1, 2):
        folder = finished['plain'] / f'round_{r}'
        entry = checkpoint_file.load(folder / 'iter_12.pth')['mmlth']
        assert entry['optimizer'] == NAMES
        for name in ('best_toy_AP_iter_12.pth', paths.FINAL):
            assert 'optimizer' not in checkpoint_file.load(folder / name)['mmlth']


def test_any_training_with_a_ticket(tmp_path):
    cfg = toy_config(tmp_path, val=False)
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', allocation='layerwise')
    cfg.default_hooks.rewind = dict(type='mmlth.RewindHook', to='4it')
    Runner.from_cfg(cfg).train()
    line = verify(tmp_path)[-1]
    assert 'as sparsity 0.8 says of every layer' in line
    assert line.endswith(f'start weights are mask x {tmp_path.name}/rewind.pth')
    (tmp_path / paths.NEXT_TICKET).rename(tmp_path / paths.TICKET)
    refused(tmp_path, 'iter_12.pth: its masks prune 0 of 0', '339 of 424')
    for path in tmp_path.glob('*.pth'):
        path.unlink()
    cfg = toy_config(tmp_path, val=False)
    cfg.optim_wrapper.type = 'mmlth.MaskedOptimWrapper'
    cfg.default_hooks.ticket = dict(type='mmlth.TicketHook', ticket=str(tmp_path / paths.TICKET))
    Runner.from_cfg(cfg).train()
    assert any(line.startswith('iter_12.pth: 339 of 424') for line in verify(tmp_path))
    (tmp_path / paths.TICKET).unlink()      # without it, the checkpoints must agree
    assert len(verify(tmp_path)) == 1
    checkpoint = checkpoint_file.load(tmp_path / 'iter_12.pth')
    checkpoint['mmlth'] = {}
    torch.save(checkpoint, tmp_path / 'iter_13.pth')
    refused(tmp_path, 'iter_13.pth: its masks prune 0 of 0')


def test_an_unfinished_lottery(work):
    folder = work()
    shutil.rmtree(folder / 'round_2')
    (folder / 'round_1' / paths.FINAL).unlink()
    (folder / 'round_1' / f'.{paths.FINAL}.123.part').write_bytes(b'half')

    def change(lottery):
        for entry, status in zip(lottery['rounds'][1:], ('running', 'waiting')):
            entry.update(status=status, checkpoint=None, ticket=None)
    edit_json(folder / paths.LOTTERY, change)
    lines = verify(folder)
    assert lines[0].endswith('1 of 3 rounds are done')
    assert lines[-1].startswith('note: round_1/.final.pth.123.part is left')


def test_controls_may_bring_weights_back(work):
    folder = work()
    ticket = Ticket.load(folder / 'round_2' / paths.TICKET)
    mask = control_mask(ticket.mask, 'random_mask', seed=1)
    rewound = checkpoint_file.load(folder / 'round_0' / paths.REWIND)['state_dict']
    state = {name: rewound[name] for name in ticket.state}
    meta = {**ticket.meta, 'control': 'random_mask'}
    Ticket.draw(mask, state, meta, 'test').save(folder / 'round_2' / paths.TICKET)
    earlier = Ticket.load(folder / 'round_1' / paths.TICKET)
    path = folder / 'round_2' / paths.TICKET
    assert 'not compared with the round before (control random_mask)' in (
        check_ticket(path, earlier)[0])
    edit_ticket(path, lambda t: t.meta.update(control=None))
    with pytest.raises(Violation, match='survive that the round before has pruned'):
        check_ticket(path, earlier)


def test_a_published_checkpoint_has_no_masks_but_their_zeros(work):
    folder, name = work(), 'iter_12-0a1b2c3d.pth'
    trained = checkpoint_file.load(folder / 'round_1/iter_12.pth')
    published = {key: trained[key] for key in ('meta', 'state_dict')}
    torch.save(published, folder / 'round_1' / name)
    line = next(line for line in verify(folder) if name in line)
    assert 'published without its masks, 234 of 424 weights in scope are zero' in line
    mask = Ticket.load(folder / 'round_1' / paths.TICKET).mask
    published['state_dict'][NAME][pruned_at(mask)] = 0.5
    torch.save(published, folder / 'round_1' / name)
    refused(folder, name, f'{NAME} has 1 weights that are not 0')


def test_what_cannot_be_compared_is_said(work):
    folder = work()
    (folder / 'round_0' / paths.REWIND).unlink()
    path = folder / 'round_1' / paths.TICKET
    assert 'their source' in verify(path)[0] and 'is not here' in verify(path)[0]
    edit_ticket(path, lambda t: t.meta.update(allocation='2:4', start='elsewhere.pth'))
    assert 'count not compared (allocation 2:4)' in verify(path)[0]
    assert '(their source, elsewhere.pth, is not here)' in verify(path)[0]
    edit_ticket(path, lambda t: (t.state.clear(), t.meta.clear()))
    assert 'it notes no sparsity, mask not drawn again' in verify(path)[0]
    assert verify(path)[0].endswith('no start weights to compare')
    edit(folder / 'round_1/iter_12.pth', lambda c: c['mmlth'].pop('optimizer'))
    assert 'optimizer not checked' in verify(folder / 'round_1/iter_12.pth')[0]


def test_trained_weights_without_the_last_checkpoint(work):
    folder = work('trained')
    for path in (folder / 'round_0').glob('*iter_12.pth'):
        path.unlink()       # final.pth has the average only
    assert 'not compared' in verify(folder / 'round_1' / paths.TICKET)[0]


CHECKPOINTS = [
    ('plain', 'round_2/iter_12.pth', revive(1e-30), [f'{NAME} has 1 weights that are not 0']),
    ('plain', 'round_2/iter_12.pth', revive(float('nan')), [f'{NAME} has 1 weights']),
    ('plain', 'round_1/final.pth', revive(-1.0), [f'{NAME} has 1 weights']),
    ('plain', 'round_1/best_toy_AP_iter_12.pth', revive(1.0), [f'{NAME} has 1 weights']),
    ('ema', 'round_1/iter_12.pth', revive(1e-30, 'ema_state_dict', 'module.'),
     ['ema_state_dict', f'{NAME} has 1 weights']),
    ('ema', 'round_2/best_toy_AP_iter_12.pth', revive(1e-30), [f'{NAME} has 1 weights']),
    ('ema', 'round_1/iter_12.pth',
     lambda c: c['ema_state_dict'].pop(f'module.{NAME}'), ['no such weight']),
    ('plain', 'round_1/iter_12.pth', lambda c: c['state_dict'].pop(NAME), ['no such weight']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['state_dict'].update({NAME: torch.zeros(3)}), ['shape (3,)']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['state_dict']['head.bias'].fill_(float('inf')), ['head.bias has 3 non-finite']),
    ('plain', 'round_0/iter_12.pth',
     lambda c: c['state_dict']['head.bias'].fill_(float('nan')), ['head.bias has 3 non-finite']),
    ('plain', 'round_0/rewind.pth',
     lambda c: c['state_dict'][NAME].fill_(float('nan')), [f'{NAME} has 144 non-finite']),
    ('plain', 'round_1/iter_12.pth', lambda c: c.pop('state_dict'), ['no state_dict']),
    ('plain', 'round_1/iter_12.pth', lambda c: c.pop('mmlth'), ['prune 0 of 0', '234 of 424']),
    ('plain', 'round_1/final.pth', lambda c: c['mmlth'].pop('masks'), ['prune 0 of 0']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth'].update(digest='0' * 64), ['digest', '000000000000']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth']['masks'][NAME].update(shape=[1, 2]), ['cannot be decoded']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth']['masks'][NAME]['bits'].bitwise_xor_(1), ['digest']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth'].update(checkpoint_entry({NAME: torch.ones(8, 2, 3, 3).bool()})),
     ['prune 0 of 144', 'only the latter have']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['optimizer']['state'][0].update(momentum_buffer=torch.zeros(8, 2, 3, 3)),
     [f'momentum_buffer of {NAME}', '(8, 2, 3, 3)', '79 of 144']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['optimizer']['state'][5].update(momentum_buffer=torch.zeros(24)),
     ['momentum_buffer of head.weight', '17 of 24']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth']['optimizer'].pop(), ['malformed, or has more parameters']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth']['optimizer'].append('x'), ['names 8 parameters', 'has 7']),
    ('plain', 'round_1/iter_12.pth',
     lambda c: c['mmlth'].update(optimizer='0123456'), ['names 7 parameters']),
]


@pytest.mark.parametrize('kind, name, change, messages', CHECKPOINTS)
def test_a_broken_checkpoint(work, kind, name, change, messages):
    folder = work(kind)
    edit(folder / name, change)
    refused(folder, folder / name, *messages)


def change_state(value):
    def change(ticket):
        at = tuple(ticket.mask[NAME].nonzero()[0])
        ticket.state[NAME][at] = value
    return change


def bring_back(ticket):
    """One weight, in exchange for another, so that the count stays."""
    mask = ticket.mask[NAME]
    ticket.state[NAME][tuple(mask.nonzero()[0])] = 0
    mask[tuple(mask.nonzero()[0])] = False


TICKETS = [
    ('plain', change_state(7.0), [f'1 of 144 start weights of {NAME}', 'rewind.pth']),
    ('trained', change_state(7.0), [f'1 of 144 start weights of {NAME}', 'iter_12.pth']),
    ('ema', lambda t: t.state['head.bias'].add_(1), ['3 of 3 start weights of head.bias']),
    ('plain', lambda t: t.state.pop('head.bias'), ['lack head.bias']),
    ('plain', lambda t: t.state.update(x=torch.ones(1)), ['x has shape (1,)', 'is missing']),
    ('plain', lambda t: t.state['head.bias'].fill_(float('nan')), ['head.bias has 3 non-finite']),
    ('plain', lambda t: t.meta.update(sparsity=0.81), ['0.81 of 424 weights is 343', '339']),
    ('plain', lambda t: t.meta.update(allocation='layerwise'), ['0.8 of', 'weights of']),
    ('plain', lambda t: t.meta.update(sparsity='much'), ["got 'much'"]),
    ('plain', bring_back, ['0.8 of 424 weights is 339, but 340 are pruned']),
]


@pytest.mark.parametrize('kind, change, messages', TICKETS)
def test_a_broken_ticket(work, kind, change, messages):
    folder = work(kind)
    edit_ticket(folder / 'round_2' / paths.TICKET, change)
    refused(folder, folder / 'round_2' / paths.TICKET, *messages)
    refused(folder / 'round_2' / paths.TICKET, *messages)


def test_a_weight_brought_back_in_round_2(work):
    folder = work()
    first = Ticket.load(folder / 'round_1' / paths.TICKET).mask

    def change(ticket):
        mask = ticket.mask[NAME]
        mask[tuple(mask.nonzero()[0])] = False
        mask[pruned_at(first)] = True
    edit_ticket(folder / 'round_2' / paths.TICKET, change)
    refused(folder, f'1 weights of {NAME} survive', 'round_2/ticket.safetensors')


def test_a_swapped_ticket(work):
    folder = work()
    shutil.copy(folder / 'round_1' / paths.TICKET, folder / 'round_2' / paths.TICKET)
    note_size(folder / 'round_2' / paths.TICKET, 'ticket')
    refused(folder, 'round_2/', 'ticket.safetensors 234 of 424', '339 of 424')


@pytest.mark.parametrize('kind, key, prefix', [
    ('plain', 'state_dict', ''), ('ema', 'ema_state_dict', 'module.')])
def test_a_ticket_of_other_weights(work, kind, key, prefix):
    """All else holds, but the training that drew it has ended with other weights."""
    def weaken(checkpoint):
        weight = checkpoint[key][prefix + NAME].view(-1)
        weight[weight.abs().argmax()] = 1e-9
    folder = work(kind)
    edit(folder / 'round_0/iter_12.pth', weaken)
    refused(folder, 'round_1/ticket.safetensors was not drawn of', 'round_0/iter_12.pth',
            '2 entries of the mask are other ones')


@pytest.mark.parametrize('meta', [
    dict(at='start'), dict(score='random'), dict(score='snip'), dict(score='gone'),
    dict(allocation='2:4'), dict(allocation='gone'), dict(control='random_mask'),
    dict(candidate=4), dict(update=dict(type='rigl')), dict(dense=dict(iterations=12))])
def test_what_is_not_drawn_again(finished, meta):
    path = finished['plain'] / 'round_1' / paths.TICKET
    ticket = Ticket.load(path)
    assert check_drawn(path, ticket).startswith('mask drawn again')
    ticket.meta.update(meta)
    assert 'not of the trained weights alone' in check_drawn(path, ticket)


def test_a_ticket_that_cannot_be_drawn_again(finished):
    path = finished['plain'] / 'round_1' / paths.TICKET
    ticket = Ticket.load(path)
    for meta, mask, message in (
            (dict(ticket.meta, sparsity=80), ticket.mask, 'drawn again: sparsity must be the fr'),
            (ticket.meta, {'gone': ticket.mask[NAME]}, 'has no gone of its shape')):
        with pytest.raises(Violation, match=message):
            check_drawn(path, Ticket(mask, {}, meta))


def test_tickets_of_different_scopes(work):
    folder = work()
    earlier = Ticket.load(folder / 'round_1' / paths.TICKET)
    earlier.mask.pop('head.weight')
    with pytest.raises(Violation, match='head.weight has shape .* of different scopes'):
        check_folder(folder / 'round_2', earlier)


def set_entry(index, **values):
    return lambda lottery: lottery['rounds'][index].update(values)


LOTTERIES = [
    (set_entry(1, scope_sparsity=0.5), ['scope_sparsity of round 1 is 0.5', '234 of 424']),
    (set_entry(2, network_sparsity=0.5), ['network_sparsity of round 2 is 0.5', '339 of 451']),
    (set_entry(0, scope_sparsity=0.1), ['scope_sparsity of round 0 is 0.1']),
    (set_entry(1, checkpoint_bytes=5), ['round_1/final.pth', '5 as checkpoint_bytes']),
    (set_entry(2, ticket_bytes=5), ['round_2/ticket.safetensors', '5 as ticket_bytes']),
    (set_entry(1, checkpoint='round_1/x.pth'), ['round_1/x.pth is missing']),
    (set_entry(1, ticket=None), ['round 1 is done, but names no ticket']),
    (set_entry(1, checkpoint='../x.pth'), ['rounds[1].checkpoint', 'inside the work dir']),
    (set_entry(1, status='won'), ['rounds[1].status', "'won'"]),
    (lambda lottery: lottery['rounds'].pop(0), ['rounds[0].round: expected 0, got 1']),
    (lambda lottery: lottery.pop('config'), ['config: expected an object']),
]


@pytest.mark.parametrize('change, messages', LOTTERIES)
def test_a_broken_lottery_file(work, change, messages):
    folder = work()
    edit_json(folder / paths.LOTTERY, change)
    refused(folder, *messages)


SPARSITIES = [
    (lambda r: r['scope'].update(zeros=1), ['zeros of scope is 1', '234']),
    (lambda r: r['network'].update(sparsity=0.5), ['sparsity of network is 0.5']),
    (lambda r: r['network'].update(weights=452), ['sparsity of network']),
    (lambda r: r['layers'][0].update(weights=1), [f'weights of {NAME} is 1', '144']),
    (lambda r: r['groups'][0].update(zeros=1), ['zeros of backbone is 1', '227']),
    (lambda r: r['layers'].pop(), ['sparsity.json']),
    (lambda r: r.pop('network'), ['cannot be read', 'network']),
    (lambda r: r.update(layers=[1]), ['cannot be read']),
]


@pytest.mark.parametrize('change, messages', SPARSITIES)
def test_a_broken_sparsity_report(work, change, messages):
    folder = work()
    edit_json(folder / 'round_1' / paths.SPARSITY, change)
    refused(folder, 'round_1/sparsity.json', *messages)


@pytest.mark.parametrize('name, messages', [
    ('round_1/final.pth', ['is missing', 'round 1']),
    ('round_2/ticket.safetensors', ['is missing', 'round 2']),
    ('round_1/sparsity.json', ['no such file']),
])
def test_a_removed_file(work, name, messages):
    folder = work()
    (folder / name).unlink()
    refused(folder, folder / name, *messages)


@pytest.mark.parametrize('name', [
    'round_0/rewind.pth', 'round_1/iter_12.pth', 'round_1/best_toy_AP_iter_12.pth',
    'round_2/ticket.safetensors', 'round_0/early_bird/candidate_00000004.safetensors'])
def test_a_truncated_file(work, name):
    folder = work()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:len(content) // 2])
    if name == 'round_2/ticket.safetensors':
        note_size(folder / name, 'ticket')
    refused(folder, folder / name)


def test_a_candidate_of_another_scope(work):
    folder = work()
    path = folder / 'round_0/early_bird/candidate_00000008.safetensors'
    ticket = Ticket.load(path)
    Ticket({NAME: ticket.mask[NAME]}).save(path)
    refused(folder, path, 'backbone.3.weight has shape None', 'different scopes')


def test_nothing_to_verify(tmp_path):
    refused(tmp_path, 'nothing to verify')
    refused(tmp_path / 'gone', 'nothing to verify')
    (tmp_path / 'x.txt').write_text('x')
    refused(tmp_path / 'x.txt', 'expected the work dir of a lottery')


def test_the_tool(work):
    def tool(*args):
        return subprocess.run([sys.executable, '-W', 'ignore', str(TOOL), *map(str, args)],
                              capture_output=True, text=True)
    folder = work()
    good = tool(folder)
    assert good.returncode == 0 and good.stdout.splitlines() == verify(folder), good.stderr
    edit(folder / 'round_2/iter_12.pth', revive(1.0))
    bad = tool(folder)
    assert bad.returncode == 1 and bad.stdout == '' and 'Traceback' not in bad.stderr
    assert bad.stderr.startswith(f'Error: {folder}/round_2/iter_12.pth: {NAME} has 1 weights')
    assert 'WORK_DIR_OR_FILE' in tool('--help').stdout
    assert issubclass(Violation, UserError)
