"""A trained ticket in one file, and a model of it again."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmlth.core import Ticket, draw, prunable, snapshot
from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.example import example
from mmlth.engine.packed import pack
from mmlth.engine.preview import build_model
from mmlth.sparse import PackedModel, load

CONFIG = 'configs/lth/faster_rcnn_r18_digits.py'
CLASSES = tuple('0123456789')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A checkpoint of 80 % zeros, one of them -0, and its model."""
    torch.manual_seed(0)
    model = build_model(load_config(CONFIG)).eval()
    weights = prunable(model)
    mask = draw(weights, 0.8)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.masked_fill_(~mask[name], 0)
        weights['roi_head.bbox_head.fc_reg.weight'][0, 0] = -0.0
        for buffer in model.buffers():      # as after a training
            buffer.add_(1)
    path = tmp_path_factory.mktemp('packed') / 'final.pth'
    torch.save(dict(state_dict=model.state_dict(),
                    meta=dict(dataset_meta=dict(classes=CLASSES))), path)
    return path, model


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and (
        a.contiguous().view(-1).view(torch.uint8).equal(b.contiguous().view(-1).view(torch.uint8)))


def test_a_round_trip_is_exact(trained, tmp_path):
    checkpoint, model = trained
    path = tmp_path / 'model.safetensors'
    pack(load_config(CONFIG), str(checkpoint)).save(path)
    found = load(path, sparse=False)
    before, after = snapshot(model), snapshot(found)
    assert before.keys() == after.keys() and all(same_bits(before[n], after[n]) for n in before)
    assert found.dataset_meta['classes'] == list(CLASSES) and not found.training
    assert found.cfg.model.type == 'FasterRCNN' and found.cfg.test_dataloader.dataset.pipeline
    batch = example(found.cfg, shape=(96, 128))
    with torch.no_grad():
        expected, boxes = (m.test_step(batch)[0].pred_instances.bboxes for m in (model, found))
    assert torch.equal(expected, boxes)
    sparse = load(path, batch=batch)
    with torch.no_grad():
        features = [m.extract_feat(m.data_preprocessor(batch)['inputs']) for m in (model, sparse)]
    for wide, fast in zip(*features):
        torch.testing.assert_close(fast, wide, rtol=1e-3, atol=1e-4)


def test_half_takes_at_most_56_hundredths_of_a_byte(trained, tmp_path):
    checkpoint, model = trained
    path = tmp_path / 'half.safetensors'
    result = subprocess.run(
        [sys.executable, 'tools/pack.py', CONFIG, checkpoint, '-o', path, '--half'],
        capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    weights = prunable(model)
    total = sum(weight.numel() for weight in weights.values())
    assert path.stat().st_size <= 0.56 * total
    found = snapshot(load(path, sparse=False))
    for name, tensor in snapshot(model).items():
        expected = tensor.half().float() if name in weights else tensor
        assert torch.equal(found[name], expected), name


def test_the_mask_of_a_nearly_empty_layer_takes_less_than_a_bit_a_weight(tmp_path, monkeypatch):
    torch.manual_seed(0)
    weights = dict(few=torch.randn(512, 784), some=torch.randn(64, 64))
    weights['few'][torch.rand(512, 784) >= 0.02] = 0
    weights['some'][torch.rand(64, 64) >= 0.5] = 0
    packed, path = PackedModel.pack(weights, weights, {}), tmp_path / 'model.safetensors'
    packed.save(path)
    kept = sum(4 * int(keep.sum()) for keep in packed.mask.values())
    assert path.stat().st_size - kept < 0.3 / 8 * weights['few'].numel()
    found = PackedModel.load(path)
    assert all(torch.equal(found.weights()[name], weight) for name, weight in weights.items())
    # Files of earlier versions have the bits as they are.
    monkeypatch.setattr(PackedModel, '_encode', Ticket._encode)
    packed.save(path)
    assert path.stat().st_size - kept > weights['few'].numel() / 8
    found = PackedModel.load(path)
    assert all(torch.equal(found.weights()[name], weight) for name, weight in weights.items())


def test_what_little_bytes_may_not_become_is_not_deflated(tmp_path, monkeypatch):
    """A reader takes no file for ours that is so small for its weights."""
    monkeypatch.setattr('mmlth.core.mask._FREE', 1000)
    packed = PackedModel.pack(dict(w=torch.zeros(400, 250)), dict(w=torch.zeros(400, 250)), {})
    packed.save(tmp_path / 'x.safetensors')
    assert (tmp_path / 'x.safetensors').stat().st_size > 400 * 250 / 8
    assert torch.equal(PackedModel.load(tmp_path / 'x.safetensors').mask['w'], packed.mask['w'])


def test_damaged_and_foreign_files_are_refused(trained, tmp_path):
    checkpoint, model = trained
    good, bad = tmp_path / 'good.safetensors', tmp_path / 'bad.safetensors'
    packed = pack(load_config(CONFIG), str(checkpoint))
    packed.save(good)
    content = bytearray(good.read_bytes())
    bad.write_bytes(content[:-1])
    with pytest.raises(UserError, match='read as a packed model: .*pack or copy it again'):
        load(bad)
    content[-5] ^= 1
    bad.write_bytes(content)
    with pytest.raises(UserError, match='does not match its checksum'):
        load(bad)
    Ticket(packed.mask).save(bad)
    with pytest.raises(UserError, match='but no packed model of mmlth'):
        load(bad)
    with pytest.raises(UserError, match='but no ticket of mmlth'):
        Ticket.load(good)
    with pytest.raises(UserError, match='there is no packed model .*tools/pack.py makes one'):
        load(tmp_path / 'none.safetensors')
    ran = tmp_path / 'ran'
    packed.meta['config'] += f'\nx = open({json.dumps(str(ran))}, "w")\n'
    packed.save(bad)
    with pytest.raises(UserError, match='more than a plain value'):
        load(bad)
    assert not ran.exists()


def test_what_is_not_of_this_model_is_refused(trained, tmp_path):
    checkpoint, model = trained
    state = snapshot(model)
    state.pop('roi_head.bbox_head.fc_reg.weight')
    torch.save(dict(state_dict=state), tmp_path / 'part.pth')
    with pytest.raises(UserError, match='fc_reg.weight'):
        pack(load_config(CONFIG), str(tmp_path / 'part.pth'))


def test_few_zeros_are_no_mask():
    weight = torch.ones(8, 8)
    weight[0, 0] = 0
    packed = PackedModel.pack(dict(a=weight, b=torch.eye(8)), dict(a=weight, b=torch.eye(8)), {},
                              half=True)
    assert list(packed.mask) == ['b']
    assert torch.equal(packed.weights()['a'], weight)
    large = torch.full((1, 2), -1e30)
    assert PackedModel.pack(dict(a=large), dict(a=large), {}, True).weights()['a'][0, 0] == -65504
    assert Path('tools/pack.py').stat().st_mode & 0o111
