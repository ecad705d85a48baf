"""ImageNet classification through MMPretrain: built, refused in time, and trained for real."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from PIL import Image

from mmlth.core.errors import UserError
from mmlth.core.scope import select
from mmlth.engine import LotteryRunner, MaskedOptimWrapper
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model, preview
from mmlth.engine.verify import verify

pytest.importorskip('mmpretrain')
CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
DEPTHS = (18, 50)


def load(name):
    return load_config(str(CONFIGS / f'{name}.py'))


@pytest.mark.parametrize('depth, convolutions', [(18, 16), (50, 48)])
def test_the_residual_blocks_are_pruned(depth, convolutions):
    """No stem, no shortcut, no classifier: ``depth`` counts the stem and the classifier."""
    cfg = load(f'resnet{depth}_imagenet_prune80')
    model = build_model(cfg)
    names = select(model, cfg.default_hooks.prune.scope)
    assert len(names) == convolutions == depth - 2
    assert all(name.startswith('backbone.layer') and 'downsample' not in name for name in names)
    assert type(build_optim_wrapper(model, cfg.optim_wrapper)) is MaskedOptimWrapper


def test_a_config_stays_as_it_is_when_its_model_is_built():
    """What a lottery compares when it is resumed."""
    cfg = load('resnet18_imagenet_prune80')
    build_model(cfg)
    assert cfg.to_dict() == load('resnet18_imagenet_prune80').to_dict()


@pytest.mark.parametrize('depth', DEPTHS)
@pytest.mark.parametrize('percent', [50, 80, 90])
def test_sparsities(depth, percent):
    cfg = load(f'resnet{depth}_imagenet_prune{percent}')
    assert preview(cfg)['scope_sparsity'] == pytest.approx(percent / 100, abs=1e-6)
    dense = load(f'resnet{depth}_imagenet')
    assert cfg.model == dense.model and cfg.train_dataloader == dense.train_dataloader


def test_missing_data_is_told_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load('resnet18_imagenet_prune80')
    cfg.work_dir = str(tmp_path / 'w')
    with pytest.raises(UserError, match='the data set is not there: data/imagenet does not exist'):
        LotteryRunner.from_cfg(cfg).train()
    assert not (tmp_path / 'w').exists()


def test_missing_mmpretrain_is_told(monkeypatch):
    monkeypatch.setattr('mmengine.config.config.is_installed', lambda package: False)
    with pytest.raises(UserError, match='mmpretrain is not installed'):
        load('resnet18_imagenet_prune80')


def make_images(root, size=40):
    """Two classes told apart by brightness."""
    generator = np.random.default_rng(0)
    for split, count in (('train', 8), ('val', 4)):
        for label, level in (('dark', 60), ('light', 190)):
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(level - 50, level + 50, (size, size, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f'{i}.png')


def test_both_rounds_on_images(tmp_path):
    """RandomResizedCrop, flips, accuracy: MMPretrain's own pipeline, without torchvision."""
    make_images(tmp_path / 'imagenet')
    cfg = load('resnet18_imagenet_prune80')
    cfg.merge_from_dict({
        'work_dir': str(tmp_path / 'w'), 'train_cfg.max_epochs': 2, 'latency': False,
        'model.backbone.stem_channels': 8, 'model.backbone.base_channels': 8,
        'model.head.in_channels': 64,
        'default_hooks.rewind.to': '1ep', 'model.head.num_classes': 2, 'model.head.topk': (1,),
        'val_evaluator.topk': (1,), 'data_preprocessor.num_classes': 2, 'log_level': 'WARNING',
        **{f'{loader}_dataloader.{key}': value for loader in ('train', 'val')
           for key, value in (('batch_size', 8), ('num_workers', 0), ('persistent_workers', False),
                              ('dataset.data_root', str(tmp_path / 'imagenet')),
                              ('dataset.metainfo', dict(classes=('dark', 'light'))))}})
    cfg.train_dataloader.dataset.pipeline[1].scale = 32
    cfg.val_dataloader.dataset.pipeline[1].scale = 36
    cfg.val_dataloader.dataset.pipeline[2].crop_size = 32
    LotteryRunner.from_cfg(cfg).train()
    rounds = json.loads((tmp_path / 'w/lottery.json').read_text())['rounds']
    assert [entry['status'] for entry in rounds] == ['done', 'done']
    assert set(rounds[1]['metrics']) == {'accuracy/top1'}
    scope = json.loads((tmp_path / 'w/round_1/sparsity.json').read_text())['scope']
    assert scope['zeros'] == round(0.8 * scope['weights'])
    final = torch.load(tmp_path / 'w/round_1/final.pth', weights_only=True)
    assert set(final['state_dict']) >= {'backbone.layer1.0.conv1.weight', 'head.fc.weight'}
    assert any('start weights are mask x' in line for line in verify(tmp_path / 'w'))
