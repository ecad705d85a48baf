"""The models for photographs on a CPU: their overrides, and a step on real images."""
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope

from mmlth.core import select
from mmlth.engine import PruneHook
from mmlth.engine.config import load_config
from mmlth.engine.hook_configs import find_hook
from mmlth.engine.mask_sources import TransferSpec
from mmlth.engine.preview import build_model
from mmlth.studies import load_study

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
# Where the images of each are, below the folder of real data.
MODELS = dict(
    faster_rcnn_r18_bccd='bccd/BCCD/',
    faster_rcnn_r18_voc_small='VOCdevkit/',
    keypoint_rcnn_r18_coco_person='coco_person/',
    td_hm_r18_coco_person='coco_person/')


def load(name):
    return load_config(str(CONFIGS / f'{name}.py'))


@pytest.mark.parametrize('name', MODELS)
def test_the_ticket_is_dense_plus_override(name):
    config, ticket = load(name).to_dict(), load(f'{name}_prune80').to_dict()
    assert ticket.pop('runner_type') == 'mmlth.LotteryRunner'
    for hook in ('rewind', 'prune'):
        ticket['default_hooks'].pop(hook)
    assert ticket['optim_wrapper'].pop('type') == 'mmlth.MaskedOptimWrapper'
    config['optim_wrapper'].pop('type', None)
    assert ticket == config


@pytest.mark.parametrize('name', MODELS)
def test_what_is_pruned_is_as_in_the_model_it_is_based_on(name):
    """At full width: names, shapes and scope are those of the model at full size."""
    large = {'faster_rcnn_r18_bccd': 'faster_rcnn_r18_voc_prune80',
             'faster_rcnn_r18_voc_small': 'faster_rcnn_r18_voc_prune80',
             'keypoint_rcnn_r18_coco_person': 'keypoint_rcnn_r18_coco_prune80',
             'td_hm_r18_coco_person': 'td_hm_r50_coco_prune80'}[name]
    ticket, other = (find_hook(load(n), PruneHook) for n in (f'{name}_prune80', large))
    assert ticket == other
    backbone = build_model(load(name)).backbone
    assert backbone.layer3[1].conv2.weight.shape == (256, 256, 3, 3)


@pytest.mark.parametrize('name', MODELS)
def test_a_step_on_real_photographs(name, real_data):
    """ImageNet weights that lack layer4 are loaded, and every loss is a number."""
    cfg, weights = load(name), f'{real_data}/weights/resnet18_imagenet_conv1_to_layer3.pth'
    cfg.merge_from_dict({'model.backbone.init_cfg.checkpoint': weights})
    if 'shared_head' in cfg.model.get('roi_head', {}):
        cfg.merge_from_dict({'model.roi_head.shared_head.init_cfg.checkpoint': weights})
    cfg.train_dataloader.dataset.update(data_root=f'{real_data}/{MODELS[name]}', indices=2)
    model = build_model(cfg)
    model.init_weights()
    given = torch.load(weights, weights_only=True)
    assert torch.equal(model.backbone.layer3[0].conv1.weight, given['layer3.0.conv1.weight'])
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(ConfigDict(cfg.train_dataloader.dataset))
        data = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
    assert torch.isfinite(loss) and loss > 0


def test_the_ticket_that_imagenet_weights_give(real_data):
    """80 % of layer1 to layer3: 17.6 % of the network, for want of layer4."""
    study = load_study(str(CONFIGS / 'studies/bccd.py'))
    run = next(run for run in study.runs if 'imagenet' in run.parts)
    spec = dict(find_hook(run.cfg, PruneHook).transfer)
    assert spec['source'] == run.cfg.model.backbone.init_cfg.checkpoint
    spec['source'] = f'{real_data}/weights/resnet18_imagenet_conv1_to_layer3.pth'
    model = build_model(load('faster_rcnn_r18_bccd'))
    ticket, outcome = TransferSpec(**spec).read(model)
    assert set(ticket.mask) == set(select(model, ['base']))
    assert outcome.scope_sparsity == pytest.approx(0.8, abs=1e-6)
    assert 100 * outcome.network_sparsity == pytest.approx(17.61, abs=0.01)
