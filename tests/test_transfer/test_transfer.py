"""Tickets of one model used for another: by name, by shape, and trained."""
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner
from toy import ToyModel
from toy_ticket import WatchZeros, make_ticket, ticket_config

from mmlth.core import Ticket, checkpoint_file, draw, select, snapshot
from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model
from mmlth.sparse import PackedModel
from mmlth.transfer import MAPPINGS, Source, match_names, read_source, transfer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def models():
    """The paper's C4 and FPN detectors, ResNet-18."""
    return {name: build_model(load_config(str(ROOT / f'configs/lth/{name}.py')))
            for name in ('faster_rcnn_r18_voc', 'mask_rcnn_r18_coco', 'keypoint_rcnn_r18_coco')}


def classifier(models, prefix=''):
    """The state dict of a classifier, torchvision's or mmpretrain's by the prefix."""
    head = prefix.replace('backbone.', 'head.') + 'fc'
    state = {prefix + n.removeprefix('backbone.'): t.clone()
             for n, t in models['mask_rcnn_r18_coco'].state_dict().items()
             if n.startswith('backbone.')}
    return {**state, f'{head}.weight': torch.randn(10, 512), f'{head}.bias': torch.ones(10)}


@pytest.mark.parametrize('prefix', ['', 'module.', 'backbone.', 'module.backbone.'])
@pytest.mark.parametrize('name, layer4', [
    ('faster_rcnn_r18_voc', 'roi_head.shared_head.layer4'),
    ('mask_rcnn_r18_coco', 'backbone.layer4')])
def test_a_classifier_finds_its_places(models, tmp_path, prefix, name, layer4):
    """Prefixes, shortcuts, and C4's layer4 in the shared head; its own head stays behind."""
    weights = classifier(models, prefix)
    torch.save(dict(state_dict=weights), tmp_path / 'c.pth')
    source = read_source(tmp_path / 'c.pth', sparsity=0.9)
    ticket, report = transfer(source, models[name])
    assert len(report.left_out) == 2 and all('fc.' in n for n in report.left_out)
    # The 16 convolutions of the residual blocks: no stem, no shortcut, as the paper.
    assert report.missing == [] and report.masked == 16 == len(ticket.mask)
    for place in ('backbone.conv1', 'backbone.layer2.0.downsample.0', f'{layer4}.1.conv2'):
        short = place.replace('backbone.', '').replace('roi_head.shared_head.', '')
        start = weights[f'{prefix}{short}.weight']
        keep = ticket.mask.get(f'{place}.weight', torch.tensor(True))
        assert torch.equal(ticket.state[f'{place}.weight'], start * keep)
    assert report.scope_sparsity == pytest.approx(0.9, abs=1e-6)
    total = sum(p.numel() for p in models[name].parameters())
    zeros = sum(int((~m).sum()) for m in ticket.mask.values())
    assert report.network_sparsity == pytest.approx(zeros / total)


def test_zeros_are_taken_for_the_mask_and_it_is_said(models, tmp_path):
    weights = classifier(models)
    keep = torch.rand(weights['layer1.0.conv1.weight'].shape) > 0.5
    weights['layer1.0.conv1.weight'] *= keep
    torch.save(weights, tmp_path / 'zeros.pth')
    source = read_source(tmp_path / 'zeros.pth')
    assert list(source.mask) == ['layer1.0.conv1.weight'] and 'inferred' in source.origin
    ticket, report = transfer(source, models['mask_rcnn_r18_coco'])
    assert torch.equal(ticket.mask['backbone.layer1.0.conv1.weight'], keep)
    assert 'inferred from the zeros' in report.to_text()


def test_a_dead_filter_is_no_ticket(models, tmp_path):
    """Nor is what it fed, which weight decay has taken to 0 by the end of the training."""
    weights = classifier(models)
    weights['layer1.0.conv1.weight'][[3, 9]] = 0
    weights['layer1.0.conv2.weight'][:, [3, 9]] = 0
    weights['layer1.0.conv2.weight'][5, 0, 0, :2] = 0
    torch.save(weights, tmp_path / 'dead.pth')
    match = r'2306 of [0-9]+ weights \(0.02%\), 2 whole filters .*layer1.0.conv1.weight, 2 of 64'
    with pytest.raises(UserError, match=match) as error:
        read_source(tmp_path / 'dead.pth')
    assert 'sparsity=0.8' in str(error.value) and 'zeros=True' in str(error.value)
    found = read_source(tmp_path / 'dead.pth', zeros=True)
    assert sum(int((~keep).sum()) for keep in found.mask.values()) > 1152
    with pytest.raises(UserError, match='leave one of them out'):
        read_source(tmp_path / 'dead.pth', sparsity=0.8, zeros=True)
    # A ticket may have dead filters as well.
    weights['layer2.0.conv1.weight'] *= torch.rand(weights['layer2.0.conv1.weight'].shape) > 0.5
    torch.save(weights, tmp_path / 'ticket.pth')
    mask = read_source(tmp_path / 'ticket.pth').mask
    assert {'layer1.0.conv1.weight', 'layer2.0.conv1.weight'} <= set(mask)


@pytest.mark.parametrize('sparsity', [0.3, 0.8])
def test_what_global_pruning_has_left_is_a_ticket_without_being_told(tmp_path, sparsity):
    model = ToyModel(width=16)
    mask = draw(select(model), sparsity)
    torch.save({n: t * mask.get(n, 1) for n, t in snapshot(model).items()}, tmp_path / 'p.pth')
    found = read_source(tmp_path / 'p.pth').mask
    assert all(torch.equal(found[n], mask[n]) for n in found) and found


def test_a_checkpoint_of_ours_brings_its_masks(tmp_path):
    ticket = make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, val=False)
    Runner.from_cfg(cfg).train()
    source = read_source(tmp_path / 'iter_12.pth')
    assert source.origin == "the checkpoint's masks"
    assert all(torch.equal(source.mask[n], keep) for n, keep in ticket.mask.items())
    checkpoint = checkpoint_file.load(tmp_path / 'iter_12.pth')
    checkpoint['mmlth']['masks']['head.weight']['shape'] = [10**9, 10**9]
    torch.save(checkpoint, tmp_path / 'hostile.pth')
    with pytest.raises(UserError, match='hostile.pth cannot be read'):
        read_source(tmp_path / 'hostile.pth')


def test_between_tasks_all_values_till_the_heads(models):
    """Table 4, both ways."""
    for a, b in (('mask', 'keypoint'), ('keypoint', 'mask')):
        own, other = models[f'{a}_rcnn_r18_coco'], models[f'{b}_rcnn_r18_coco']
        mask = draw(select(own, ['base', 'top', 'neck', 'rpn', 'box_head']), 0.8)
        source = Source(snapshot(own), mask, 'test')
        ticket, report = transfer(source, other, 'till_heads')
        assert {n.split('.')[0] for n in ticket.state} == {'backbone', 'neck', 'rpn_head'}
        assert report.missing == [] and report.mismatched == {}
        assert all('roi_head' in name for name in report.left_out)
        assert set(ticket.mask) == {n for n in mask if not n.startswith('roi_head')}
        assert ticket.state['rpn_head.rpn_conv.weight'].shape[0] == 256


def test_only_the_mask(models):
    model = models['mask_rcnn_r18_coco']
    source = Source(snapshot(model), draw(select(model, ['base']), 0.5), 'test')
    ticket, report = transfer(source, model, 'same', weights=False)
    assert ticket.state == {} and len(ticket.mask) == 12 and not report.weights


def test_what_cannot_be_transferred(models, tmp_path):
    wide = ToyModel(width=16)
    source = Source(snapshot(wide), draw(select(wide), 0.5), 'test')
    with pytest.raises(UserError, match=r'\(16, 2, 3, 3\) in the source, \(8, 2, 3, 3\)'):
        transfer(source, ToyModel(), 'same')
    with pytest.raises(UserError, match='no mask of the source finds a place'):
        transfer(source, models['mask_rcnn_r18_coco'])
    with pytest.raises(UserError, match='no mapping .sideways., expected one of: backbone'):
        transfer(source, ToyModel(), 'sideways')
    with pytest.raises(UserError, match='a mapping is a list'):
        transfer(source, ToyModel(), [('(', 'a')])
    for replacement in (r'\2', r'\g<place>', 3):
        with pytest.raises(UserError, match='the rule .* cannot be applied to backbone'):
            transfer(source, ToyModel(), [(r'^(.+)$', [replacement])])
    with pytest.raises(UserError, match='would go to head.weight'):
        match_names(['a.w', 'b.w'], ['head.weight'], [(r'.*', 'head.weight')])
    PackedModel.pack(select(wide), snapshot(wide), {}).save(tmp_path / 'model.safetensors')
    with pytest.raises(UserError, match='is a packed model, .* transfer the ticket or the check'):
        read_source(tmp_path / 'model.safetensors')
    torch.save(dict(a=torch.ones(2, 2)), tmp_path / 'dense.pth')
    with pytest.raises(UserError, match='neither masks nor zeros'):
        read_source(tmp_path / 'dense.pth')
    (tmp_path / 'text.pth').write_text('hello')
    with pytest.raises(UserError, match='cannot be read'):
        read_source(tmp_path / 'text.pth')
    with pytest.raises(UserError, match='there is no ticket or checkpoint'):
        read_source(tmp_path / 'none.pth')


def test_other_shapes_are_left_out_on_request():
    wide = ToyModel(width=16)
    source = Source(snapshot(wide), draw(select(wide), 0.5), 'test')
    model = ToyModel(width=16)
    model.head = model.same_head = torch.nn.Linear(16, 5)
    ticket, report = transfer(source, model, 'same', strict=False)
    assert set(report.mismatched) == {'head.weight', 'head.bias'}
    assert 'head.weight' not in ticket.mask and 'backbone.0.weight' in ticket.mask
    assert 'other shape, left out: 2' in report.to_text()


@MODELS.register_module(force=True)
class RenamedToy(ToyModel):
    """The toy with its backbone under another name."""

    def __init__(self):
        super().__init__()
        self.features = self.backbone
        del self.backbone
        self.backbone = self.features.forward


@pytest.mark.parametrize('mapping', [None, [(r'^backbone\.(.+)$', r'features.\1')]])
def test_a_transferred_ticket_is_trained(tmp_path, mapping):
    """Only what was transferred is masked and set; the rest starts as initialised."""
    source = make_ticket(tmp_path / 'ticket.safetensors')
    rules = [(r'^backbone\.(.+)$', r'features.\1')]
    if mapping is None:
        ticket, _ = transfer(Source(source.state, source.mask, ''), RenamedToy(), rules)
        ticket.save(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, val=False, optimizer=dict(type='SGD', lr=0.0))
    cfg.model.type = 'RenamedToy'
    cfg.default_hooks.ticket.update(mapping=mapping, strict=False)
    runner = Runner.from_cfg(cfg)
    runner.train()
    params = dict(runner.model.named_parameters())
    keep = source.mask['backbone.0.weight']
    assert torch.equal(params['features.0.weight'], source.state['backbone.0.weight'] * keep)
    assert params['head.weight'].all()      # dense
    assert next(h for h in runner.hooks if isinstance(h, WatchZeros)).seen == 12
    saved = checkpoint_file.load(tmp_path / 'iter_12.pth')['mmlth']['masks']
    assert set(saved) == {'features.0.weight', 'features.3.weight'}


def test_the_tool(tmp_path, real_data):
    """ImageNet weights, pruned here, into the C4 detector."""
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tools/transfer_ticket.py'),
         str(real_data / 'weights/resnet18_imagenet_conv1_to_layer3.pth'),
         str(ROOT / 'configs/lth/faster_rcnn_r18_voc.py'), '--sparsity', '0.9', '--partial',
         '-o', str(tmp_path / 'ticket.safetensors')], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    # layer4 is not in that file, so it is no row of the paper.
    assert 'scope sparsity 90.00%, network sparsity 19.74%\n' in result.stdout
    assert 'fc.weight' in result.stdout and 'layer4.1.conv2.weight' in result.stdout
    assert len(Ticket.load(tmp_path / 'ticket.safetensors').mask) == 12
    assert set(MAPPINGS) == {'backbone', 'till_heads', 'same'}
