"""The paper's VOC models: sizes against its Table 3, the overrides, and the two-class RPN."""
import functools
import re
from pathlib import Path

import pytest
import torch
import yaml
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.structures import InstanceData

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
DENSE = {f'faster_rcnn_r{depth}_voc': depth for depth in (18, 50)}
TICKETS = {(dense, percent): f'{dense}_prune{percent}'
           for dense in DENSE for percent in (50, 80, 90)}

# Written out on full parameter names, so that they also check the scopes of mmlth.core.
GROUPS = dict(
    stem=r'backbone\.conv1\.weight',
    base=r'backbone\.layer[123]\.\d+\.conv\d\.weight',
    top=r'roi_head\.shared_head\.layer4\.\d+\.conv\d\.weight',
    downsample=r'(backbone|roi_head\.shared_head)\.layer\d\.0\.downsample\.0\.weight',
    rpn=r'rpn_head\.rpn_(conv|cls|reg)\.weight',
    head=r'roi_head\.bbox_head\.fc_(cls|reg)\.weight')


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def build(name, **test_cfg):
    register_all_modules()
    model = load(name).model
    model.backbone.init_cfg = None  # nothing may be downloaded
    model.roi_head.shared_head.init_cfg = None
    model.test_cfg.rpn.update(test_cfg)
    torch.manual_seed(0)
    return MODELS.build(model)


@pytest.fixture(scope='module')
def detector():
    return build('faster_rcnn_r18_voc')


@functools.lru_cache
def shares(name):
    """Percent of all parameters (weights, biases, norms; no buffers) that each group holds."""
    sizes = {name: weight.numel() for name, weight in build(name).named_parameters()}
    total = sum(sizes.values())
    return {group: 100 * sum(n for name, n in sizes.items() if re.fullmatch(pattern, name)) / total
            for group, pattern in GROUPS.items()}


def test_groups_are_those_of_table_3():
    share = shares('faster_rcnn_r18_voc')
    assert share['base'] == pytest.approx(21.93, abs=0.05)
    assert share['top'] == pytest.approx(66.39, abs=0.05)
    assert share['base'] + share['top'] == pytest.approx(88.32, abs=0.05)
    assert share['rpn'] == pytest.approx(9.71, abs=0.05)
    # The paper prints 0.65: it counts the 1x1 layers of the RPN here a second time.
    assert share['head'] == pytest.approx(0.43, abs=0.05)


@pytest.mark.parametrize('name, sparsity, network_sparsity, tolerance', [
    ('faster_rcnn_r18_voc', 0.5, 44.16, 0.05), ('faster_rcnn_r18_voc', 0.8, 70.66, 0.05),
    ('faster_rcnn_r18_voc', 0.9, 79.49, 0.05), ('faster_rcnn_r50_voc', 0.8, 58.11, 0.05),
    ('faster_rcnn_r50_voc', 0.9, 65.37, 0.05)
])
def test_network_sparsity_is_that_of_tables_1_to_3(name, sparsity, network_sparsity, tolerance):
    share = shares(name)
    assert sparsity * (share['base'] + share['top']) == pytest.approx(
        network_sparsity, abs=tolerance)


@pytest.mark.parametrize('extra', ['downsample', 'stem'])
def test_paper_prunes_neither_shortcuts_nor_stem(extra):
    share = shares('faster_rcnn_r18_voc')
    assert abs(share['base'] + share['top'] + share[extra] - 88.32) > 0.05


def test_stem_layer1_and_norms_are_fixed(detector):
    detector.train()
    free = {name for name, weight in detector.named_parameters() if weight.requires_grad}
    assert not any(re.search(r'\.bn\d\.|downsample\.1|backbone\.(conv1|layer1)', name)
                   for name in free)
    assert {'backbone.layer2.0.conv1.weight',
            'roi_head.shared_head.layer4.0.conv1.weight'} <= free
    norms = [m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms)


@pytest.mark.parametrize('dense', DENSE)
def test_dense_config_is_stock(dense):
    config = load(dense)
    assert 'mmlth' not in re.sub(r'#.*', '', config.pretty_text)
    assert 'runner_type' not in config
    assert config.default_scope == 'mmdet'
    assert set(config.default_hooks) == {
        'timer', 'logger', 'param_scheduler', 'checkpoint', 'sampler_seed', 'visualization'}
    depth = DENSE[dense]
    for part in (config.model.backbone, config.model.roi_head.shared_head):
        assert part.depth == depth
        assert part.init_cfg.checkpoint == f'torchvision://resnet{depth}'


@pytest.mark.parametrize('dense, percent', TICKETS)
def test_ticket_config_is_dense_plus_override(dense, percent):
    config, ticket = load(dense).to_dict(), load(TICKETS[dense, percent]).to_dict()
    assert ticket.pop('runner_type') == 'mmlth.LotteryRunner'
    assert ticket['optim_wrapper'].pop('type') == 'mmlth.MaskedOptimWrapper'
    assert config['optim_wrapper'].pop('type') == 'OptimWrapper'
    assert ticket['default_hooks'].pop('rewind') == dict(
        type='mmlth.RewindHook', to='600it', schedule='restart')
    assert ticket['default_hooks'].pop('prune') == dict(
        type='mmlth.PruneHook', sparsity=percent / 100, rounds=1, allocation='global',
        scope=['base', 'top'])
    assert ticket == config


BOX = ('<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
       '<ymax>{}</ymax></bndbox></object>')


def test_bccd_boxes_without_area_do_not_train(tmp_path):
    register_all_modules()
    for folder in ('Annotations', 'ImageSets/Main'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'ImageSets/Main/trainval.txt').write_text('cells')
    boxes = BOX.format('RBC', 504, 337, 504, 337) + BOX.format('Platelets', 10, 20, 60, 80)
    (tmp_path / 'Annotations/cells.xml').write_text(
        '<annotation><size><width>640</width><height>480</height></size>'
        f'{boxes}</annotation>')
    config = load('faster_rcnn_r18_bccd').train_dataloader.dataset
    config.data_root = f'{tmp_path}/'
    dataset = DATASETS.build(config)
    [image] = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [box['ignore_flag'] for box in image['instances']] == [1, 0]
    assert [box['bbox_label'] for box in image['instances']] == [0, 2]
    # Otherwise the metric would print the first three names of VOC.
    assert dataset.metainfo['dataset_type'] is None


def test_model_index_lists_every_config():
    root = CONFIGS.parents[1]
    metafiles = yaml.safe_load((root / 'model-index.yml').read_text())['Import']
    assert 'configs/lth/metafile.yml' in metafiles
    metafile = yaml.safe_load((CONFIGS / 'metafile.yml').read_text())
    listed = {model['Name']: model['Config'] for model in metafile['Models']}
    assert all((root / config).is_file() for config in listed.values())
    assert all(Path(config).stem == name for name, config in listed.items())
    assert {*DENSE, *TICKETS.values()} <= set(listed)


def test_local_weights_by_cfg_options():
    config = load('faster_rcnn_r50_voc')
    config.merge_from_dict({'model.backbone.init_cfg.checkpoint': 'a.pth',
                            'model.roi_head.shared_head.init_cfg.checkpoint': 'a.pth'})
    assert config.model.backbone.init_cfg == dict(type='Pretrained', checkpoint='a.pth')
    assert config.model.roi_head.shared_head.init_cfg == config.model.backbone.init_cfg


def rpn_inputs(detector, best=(2, 3, 4)):
    """Scores of one 20x30 feature map where one anchor (y, x, index) is an object for sure."""
    head, size = detector.rpn_head, (20, 30)
    y, x, index = best
    # (anchor, class, y, x): class 0 is the object, class 1 the background
    logits = torch.zeros(head.num_base_priors, 2, *size)
    logits[:, 1] = 3.
    logits[index, :, y, x] = torch.tensor([3., 0.])
    scores = logits.reshape(1, -1, *size)
    deltas = torch.zeros(1, 4 * head.num_base_priors, *size)
    anchors = head.prior_generator.grid_priors([size], device='cpu')[0].reshape(*size, -1, 4)
    return [scores], [deltas], anchors[y, x, index]


META = dict(img_shape=(320, 480), pad_shape=(320, 480), batch_input_shape=(320, 480),
            ori_shape=(320, 480), scale_factor=(1., 1.), img_id=0)


def test_rpn_scores_are_probabilities_of_the_object(detector):
    scores, deltas, anchor = rpn_inputs(detector)
    [proposals] = detector.rpn_head.predict_by_feat(
        scores, deltas, batch_img_metas=[META], cfg=detector.test_cfg.rpn)
    sure, rest = proposals.scores[0], proposals.scores[1:]
    assert sure == pytest.approx(torch.sigmoid(torch.tensor(3.)).item())
    torch.testing.assert_close(rest, torch.sigmoid(torch.tensor(-3.)).expand_as(rest))
    inside = anchor.clamp(min=0).minimum(torch.tensor([480., 320., 480., 320.]))
    torch.testing.assert_close(proposals.bboxes[0], inside)
    assert len(proposals) <= 300


def test_rpn_loss_has_the_same_convention(detector):
    """A map that is right about an object costs less than its opposite."""
    scores, deltas, anchor = rpn_inputs(detector, best=(10, 15, 3))
    truth = InstanceData(bboxes=anchor[None], labels=torch.zeros(1, dtype=torch.long))
    flipped = [s.unflatten(1, (-1, 2)).flip(2).flatten(1, 2) for s in scores]

    def loss(cls_scores):
        losses = detector.rpn_head.loss_by_feat(cls_scores, deltas, [truth], [META])
        return losses['loss_rpn_cls'][0].item()

    assert loss(scores) < 0.2
    assert loss(flipped) > 2.5


@pytest.mark.parametrize('name', DENSE)
def test_forward_loss_and_predict(name):
    detector = build(name, max_per_img=20)
    detector.init_weights()
    sample = DetDataSample(metainfo=META)
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[40., 30., 200., 180.], [300., 100., 320., 110.]]),
        labels=torch.tensor([3, 19]))
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    data = dict(inputs=[torch.randint(0, 256, (3, 320, 480), dtype=torch.uint8)],
                data_samples=[sample])

    detector.train()
    losses, _ = detector.parse_losses(detector(**detector.data_preprocessor(data, True),
                                               mode='loss'))
    assert torch.isfinite(losses)
    losses.backward()
    missing = [name for name, weight in detector.named_parameters()
               if weight.requires_grad and weight.grad is None]
    assert not missing

    detector.eval()
    with torch.no_grad():
        [result] = detector(**detector.data_preprocessor(data, False), mode='predict')
    found = result.pred_instances
    assert 0 < len(found) <= 100
    assert found.scores.min() >= 0 and found.scores.max() <= 1
    assert set(found.labels.tolist()) <= set(range(20))
