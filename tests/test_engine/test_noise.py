"""Children of one rewind point with other SGD noise: what is the same in them, and what is not."""
import json
import re

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from toy import ToyDataset, lottery_config, run_lottery

from mmlth.core import checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.core.random_state import noise_seed, random_state
from mmlth.engine.verify import Violation, verify


@DATASETS.register_module(force=True)
class Augmented(ToyDataset):
    """Each time it is asked, other inputs."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return dict(item, inputs=item['inputs'] + 0.1 * torch.rand(()))


@HOOKS.register_module(force=True)
class NoteStart(Hook):
    """How the last round starts, and its batches."""
    start, batches = None, {}
    cut_at = None
    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if 'round_1' not in runner.work_dir:
            return
        cls = type(self)
        if cls.start is None:
            state = runner.optim_wrapper.optimizer.state_dict()
            loader = runner.train_dataloader
            cls.start = dict(
                seeds=(loader.sampler.seed, loader.worker_init_fn.keywords['seed']),
                iter=runner.iter, lr=[g['lr'] for g in state['param_groups']],
                weights={n: t.clone() for n, t in runner.model.state_dict().items()},
                optimizer=[t.clone() for s in state['state'].values() for t in s.values()
                           if torch.is_tensor(t)], random=random_state()['torch'].tolist())
        cls.batches[runner.iter] = data_batch['inputs'].flatten(1).sum(1).tolist()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if 'round_1' in runner.work_dir and runner.iter + 1 == self.cut_at:
            raise KeyboardInterrupt


def child_config(work_dir, noise, **kwargs):
    cfg = lottery_config(work_dir, **{'schedule': 'resume', **kwargs})
    cfg.train_dataloader.dataset = dict(type='Augmented')
    cfg.default_hooks.rewind.noise, cfg.latency = noise, False
    cfg.custom_hooks = [dict(type='NoteStart')]
    return cfg


def train(cfg, resume=False):
    """Its start, its batches and its last weights."""
    NoteStart.start, NoteStart.batches = None, {}
    run_lottery(cfg, resume)
    return NoteStart.start, NoteStart.batches, final(cfg.work_dir)


def final(work_dir, round=1):
    return checkpoint_file.load(f'{work_dir}/round_{round}/{paths.FINAL}')['state_dict']


def same(a, b):
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize('way', [
    dict(), dict(schedule='restart'), dict(to='0it', sparsity=0.0),
    dict(by_epoch=True, to='1ep')],
    ids=lambda way: '-'.join(map(str, way.values())) or 'plain')
def test_children_of_one_rewind_point(tmp_path, way):
    """They start bit for bit as one; from there on data and random numbers are the noise's."""
    found = {name: train(child_config(tmp_path / name, noise, **way))
             for name, noise in dict(none=None, one=1, again=1, two=2).items()}
    first = found['none'][0]
    for start, _, _ in found.values():
        assert (start['iter'], start['lr']) == (first['iter'], first['lr'])
        assert same(start['weights'], first['weights'])
        assert len(start['optimizer']) == len(first['optimizer'])
        assert all(map(torch.equal, start['optimizer'], first['optimizer']))
    for name in found:
        assert same(final(tmp_path / name, 0), final(tmp_path / 'none', 0))
    assert found['one'][0]['random'] == found['again'][0]['random']
    assert found['one'][1] == found['again'][1] and same(found['one'][2], found['again'][2])
    # Workers augment with a seed of their own.
    assert [found[name][0]['seeds'] for name in ('none', 'one')] == [
        (3, 3), (noise_seed(3, 1), noise_seed(3, 1))]
    for a, b in (('none', 'one'), ('none', 'two'), ('one', 'two')):
        assert found[a][0]['random'] != found[b][0]['random']
        assert all(found[a][1][i] != found[b][1][i] for i in found[a][1])
        assert not same(found[a][2], found[b][2])


@pytest.mark.parametrize('way', [dict(), dict(schedule='restart', by_epoch=True, to='1ep')])
def test_a_resumed_child_is_the_uninterrupted_one(tmp_path, monkeypatch, way):
    whole = train(child_config(tmp_path / 'whole', 1, **way))
    cfg = child_config(tmp_path / 'cut', 1, **way)
    cfg.default_hooks.checkpoint.interval = 1 if way else 5
    monkeypatch.setattr(NoteStart, 'cut_at', 11)
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    monkeypatch.setattr(NoteStart, 'cut_at', None)
    assert same(train(cfg, resume=True)[2], whole[2])


def test_new_weights_are_the_same_ones(tmp_path):
    """The control is initialised alike in all noises, with several rounds in the last one alone."""
    found = []
    for noise in (None, 1):
        cfg = child_config(tmp_path / str(noise), noise, schedule='restart', rounds=2)
        cfg.default_hooks.prune.control = 'fresh_weights'
        cfg.custom_hooks = [dict(type='NoteInitial')]
        run_lottery(cfg)
        found.append(NoteInitial.weights)
    assert same(*found) and same(*(final(tmp_path / str(noise)) for noise in (None, 1)))
    assert not same(*(final(tmp_path / str(noise), 2) for noise in (None, 1)))


@HOOKS.register_module(force=True)
class NoteInitial(Hook):
    """The weights that each training begins with; the last one's stay."""
    weights = None
    priority = 'LOWEST'

    def before_train(self, runner):
        type(self).weights = {n: t.clone() for n, t in runner.model.state_dict().items()}


def test_the_noise_is_noted_and_verified(tmp_path):
    cfg = child_config(tmp_path, 1)
    train(cfg)
    lottery = json.loads((tmp_path / paths.LOTTERY).read_text())
    assert lottery['spec']['noise'] == 1
    assert 'The last round has the SGD noise 1' in (tmp_path / 'report.html').read_text()
    assert verify(tmp_path)[-1].endswith('data order and augmentation are of noise 1')
    dump, = (tmp_path / 'round_1').glob('*.py')
    text, own = dump.read_text(), noise_seed(cfg.randomness.seed, 1)
    assert text.count(f'noise={own}') == 1
    dump.write_text(text.replace(f'noise={own}', f'noise={own + 1}'))
    with pytest.raises(Violation, match=f'its noise is {own + 1}, that of noise 1 .* is {own}'):
        verify(tmp_path)


@pytest.mark.parametrize('noise', [-1, 0.5, True, '1'])
def test_a_noise_is_a_number(tmp_path, noise):
    with pytest.raises(UserError, match=re.escape(
            f'noise must be None or the number of a noise, 0, 1, 2, ..., got {noise!r}')):
        train(child_config(tmp_path, noise))
    assert not tmp_path.joinpath('round_0').exists()
