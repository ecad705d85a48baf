"""What a training writes it can read, says so at once if not, and resumes from it exactly."""
import codecs

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, MODELS, RUNNERS
from mmengine.runner import save_checkpoint
from torch import nn
from toy import ToyDataset, ToyModel, lottery_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.round_runner import RoundRunner
from mmlth.engine.chain.rounds import round_config
from mmlth.engine.from_checkpoint import draw_from_checkpoint
from mmlth.engine.reading import read_checkpoint
from mmlth.engine.verify import verify


class Counting(nn.Module):
    """Keeps what is no tensor."""

    def __init__(self):
        super().__init__()
        self.calls = dict(train=0, note=['a', None])

    def forward(self, x):
        self.calls['train'] += self.training
        return x

    def get_extra_state(self):
        return self.calls

    def set_extra_state(self, state):
        self.calls = state


@MODELS.register_module(force=True)
class OddModel(ToyModel):
    """An extra state, a buffer that grows, and one made in the first forward."""

    def __init__(self):
        super().__init__()
        self.backbone.add_module('count', Counting())
        self.register_buffer('bank', torch.zeros(0, 3))

    def forward(self, inputs, labels, mode='tensor'):
        if not hasattr(self, 'grid'):
            self.register_buffer('grid', torch.arange(4.))
        if mode == 'loss':
            self.bank = torch.cat([self.bank, torch.ones(1, 3) * len(self.bank)])
        return super().forward(inputs, labels, mode)


@DATASETS.register_module(force=True)
class NamedDataset(ToyDataset):
    """Its metainfo is of the config, with classes of mmengine's in it."""

    def __init__(self, metainfo):
        super().__init__()
        self.metainfo = dict(self.METAINFO, **metainfo)


class Odd:
    """A class that no reader knows."""


class Text:
    """Pickled as a call that is known, with what it never has."""

    def __reduce__(self):
        return codecs.encode, ('x', 'utf-8')

    def __deepcopy__(self, memo):
        return self


@HOOKS.register_module(force=True)
class Meddling(Hook):
    """Puts something into the message hub, and stops a training in its midst."""

    stop = None

    def __init__(self, note=None):
        self.note = note

    def before_train(self, runner):
        note = {None: 'plain', 'odd': Odd(), 'text': Text()}[self.note]
        runner.message_hub.update_info('note', note)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.stop:
            raise KeyboardInterrupt


def odd_config(work_dir, note=None, to='4it', **options):
    cfg = lottery_config(work_dir, to=to, **options)
    cfg.model.type = 'OddModel'
    cfg.train_dataloader.dataset = dict(type='NamedDataset', metainfo=dict(tree=dict(a='b')))
    cfg.param_scheduler = [dict(type='OneCycleLR', eta_max=0.1, total_steps=12, by_epoch=False)]
    cfg.default_hooks.checkpoint.interval = 4
    cfg.custom_hooks = [dict(type='Meddling', note=note)]
    return cfg


def final(work_dir, index):
    return torch.load(work_dir / f'round_{index}' / paths.FINAL, weights_only=True)['state_dict']


@pytest.fixture(scope='module', params=['restart', 'resume'])
def finished(request, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('odd')
    cfg = odd_config(work_dir, schedule=request.param)
    RUNNERS.build(cfg).train()
    return cfg, work_dir


def test_a_lottery_of_odd_parts(finished):
    """A ticket starts with what the rewind point had, also beside parameters."""
    cfg, work_dir = finished
    resumes = cfg.default_hooks.rewind.schedule == 'resume'
    ticket = Ticket.load(work_dir / 'round_1' / paths.TICKET)
    assert ticket.meta['extra_state'] == {
        'backbone.count._extra_state': dict(train=4, note=['a', None])}
    assert ticket.meta['late_buffers'] == ['bank', 'grid']
    assert ticket.state['bank'].shape == (4, 3) and 'grid' in ticket.state
    for index, calls in ((0, 12), (1, 12 if resumes else 16)):
        state = final(work_dir, index)
        assert torch.equal(state['bank'][:, 0], torch.arange(float(calls)))
        assert state['backbone.count._extra_state']['train'] == calls
    assert any('mask x round_0/rewind.pth' in line for line in verify(work_dir))


@pytest.mark.parametrize('index', [0, 1])
def test_resumed_as_if_never_stopped(finished, tmp_path, index, monkeypatch):
    """Growing buffers too, which mmengine leaves out."""
    cfg, work_dir = finished
    schedule = cfg.default_hooks.rewind.schedule
    if index == 1:
        (tmp_path / 'round_1').mkdir()
        (tmp_path / 'round_0').mkdir()
        (tmp_path / 'round_0' / paths.REWIND).write_bytes(
            (work_dir / 'round_0' / paths.REWIND).read_bytes())
        (tmp_path / 'round_1' / paths.TICKET).write_bytes(
            (work_dir / 'round_1' / paths.TICKET).read_bytes())
    for stop in (10, None):
        monkeypatch.setattr(Meddling, 'stop', stop)
        again = odd_config(tmp_path, schedule=schedule)
        spec = LotterySpec.of(again)
        runner = RoundRunner.from_cfg(round_config(again, spec, tmp_path, index, 3))
        if stop:
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        else:
            runner.train()
    found, expected = runner.model.state_dict(), final(work_dir, index)
    assert found.keys() == expected.keys() and 'grid' in found
    for name, value in expected.items():
        same = torch.equal(found[name], value) if torch.is_tensor(value) else found[name] == value
        assert same, name
    assert runner.param_schedulers[0].anneal_func(1., 0., 1.) == pytest.approx(0)
    assert 'dataset metainfo' not in ''.join(p.read_text() for p in tmp_path.rglob('*.log'))


def test_drawn_once_more(finished):
    """By hand too: what a module keeps beside tensors is in the ticket."""
    cfg, work_dir = finished
    cfg = cfg.copy()
    cfg.model = dict(type='ToyModel')
    state = {n: t for n, t in final(work_dir, 0).items() if n not in ('bank', 'grid')}
    torch.save(state, work_dir / 'dense.pth')
    with pytest.raises(UserError, match='_extra_state'):
        draw_from_checkpoint(cfg, work_dir / 'dense.pth')
    cfg.model = dict(type='Counted')
    ticket = draw_from_checkpoint(cfg, work_dir / 'dense.pth')
    assert ticket.meta['extra_state']['backbone.count._extra_state']['train'] == 12


@MODELS.register_module(force=True)
class Counted(ToyModel):
    def __init__(self):
        super().__init__()
        self.backbone.add_module('count', Counting())


def logged(work_dir):
    return ''.join(path.read_text() for path in work_dir.rglob('*.log'))


@pytest.mark.parametrize('mode, first', [('weights', 'rewind.pth'), ('lr', 'iter_4.pth')])
def test_what_is_lost_is_said_at_once(tmp_path, mode, first, monkeypatch):
    """By name, when the first file is written; a resumed training goes on without it."""
    monkeypatch.setattr(Meddling, 'stop', 5)
    cfg = odd_config(tmp_path, note='odd', to='4it' if mode == 'weights' else '6it',
                     default_hooks=dict(rewind=dict(mode=mode)))
    with pytest.raises(KeyboardInterrupt):
        RUNNERS.build(cfg).train()
    name = f'message_hub.runtime_info.note ({__name__}.Odd object)'
    assert f'{first}: objects of unknown classes are not read from files' in logged(tmp_path)
    assert name in logged(tmp_path)
    monkeypatch.setattr(Meddling, 'stop', None)
    cfg.resume = True
    RUNNERS.build(cfg).train()
    assert f'has objects of unknown classes; the training goes on without {name}' in (
        logged(tmp_path))


def test_what_cannot_be_read_ends_the_training_at_its_rewind_point(tmp_path):
    with pytest.raises(UserError, match=r'just written cannot be read back.* rewind.pth .*encodes'):
        RUNNERS.build(odd_config(tmp_path, note='text', to='0it')).train()
    assert not list(tmp_path.rglob('*.pth'))


def test_a_resumed_checkpoint_runs_nothing(tmp_path):
    """mmengine would execute the config of an mmcv checkpoint."""
    RUNNERS.build(odd_config(tmp_path, val=False)).train()
    cfg = odd_config(tmp_path, val=False)
    cfg = round_config(cfg, LotterySpec.of(cfg), tmp_path, 0, 3)
    checkpoint = checkpoint_file.load(tmp_path / 'round_0/iter_12.pth')
    checkpoint['meta']['config'] = f'import os\nos.mkdir({str(tmp_path / "made")!r})'
    save_checkpoint(checkpoint, str(tmp_path / 'hostile.pth'))
    cfg.load_from, cfg.resume = str(tmp_path / 'hostile.pth'), True
    RoundRunner.from_cfg(cfg).train()
    assert not (tmp_path / 'made').exists()


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return __import__('os').mkdir, (self.path,)


def test_an_address_is_read_as_data(tmp_path, monkeypatch):
    """mmengine's own loader has it in its cache; no network is needed."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    (tmp_path / 'hub/checkpoints').mkdir(parents=True)
    torch.save(dict(state_dict=dict(w=torch.ones(1)), odd=Hostile(str(tmp_path / 'made'))),
               tmp_path / 'hub/checkpoints/x.pth')
    original = torch.load
    loaded = read_checkpoint('https://example.invalid/x.pth')
    assert torch.equal(loaded['state_dict']['w'], torch.ones(1)) and torch.load is original
    assert not (tmp_path / 'made').exists()
