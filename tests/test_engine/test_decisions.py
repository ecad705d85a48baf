"""What a loss decides is held while gradients are differenced, and warned of if that is not all."""
import dataclasses
import re
from contextlib import nullcontext
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch.utils.data import DataLoader
from toy import ToyModel, toy_config

from mmlth.core import checkpoint_file, select
from mmlth.core.drawing.scores import hessian_gradients
from mmlth.datasets import make_digits
from mmlth.engine.config import load_config
from mmlth.engine.probe import make_probe

PASSES = 3      # at the weights, and on both sides


class Chosen(NamedTuple):
    labels: torch.Tensor


class Chooser:
    """Takes labels by the last digits of what the model says, as if they were assignments."""

    def assign(self, logits):
        torch.rand(3)       # as samplers do
        return Chosen((logits.sum(1) * 1e6).long() % 3)


@MODELS.register_module(force=True)
class ChoosingModel(ToyModel):
    """Its loss depends on what it chooses, and on noise drawn behind that."""

    def __init__(self):
        super().__init__()
        self.assigners = [Chooser()]
        self.chosen, self.noise = [], []

    def forward(self, inputs, labels, mode='tensor'):
        if mode == 'loss':
            found = self.assigners[0].assign(super().forward(inputs, labels))
            self.chosen.append(found.labels.tolist())
            self.noise.append(torch.rand(()).item())
            labels = found.labels + 0
            found.labels.zero_()        # results may be used up
        return super().forward(inputs, labels, mode)


@MODELS.register_module(force=True)
class RoughModel(ToyModel):
    """Decides nothing, but its gradient has no derivative worth the name."""

    def forward(self, inputs, labels, mode='tensor'):
        found = super().forward(inputs, labels, mode)
        if mode == 'loss':
            logits = super().forward(inputs, labels)
            found['loss'] = (logits * (logits.detach() * 1e6).sin()).sum()
        return found


def probed(model, tmp_path):
    cfg = toy_config(tmp_path, model=dict(type=model), val=False)
    runner = Runner.from_cfg(cfg)
    loader = runner.build_dataloader(cfg.train_dataloader)
    return make_probe(SimpleNamespace(model=runner.model, train_dataloader=loader), 2, seed=0)


@pytest.mark.parametrize('held', [True, False])
def test_all_passes_decide_as_the_first(tmp_path, held):
    probe = probed('ChoosingModel', tmp_path)
    model = probe.model
    hessian_gradients(
        select(model), probe if held else dataclasses.replace(probe, held=nullcontext))
    first, *later = [model.chosen[i:i + 2] for i in range(0, 2 * PASSES, 2)]
    assert len(model.chosen) == 2 * PASSES and first[0] != first[1]
    assert all((choice == first) == held for choice in later)
    assert [model.noise[:2] == model.noise[i:i + 2] for i in (2, 4)] == [True, True]
    assert not vars(model.assigners[0])     # the class's method again


def test_assignments_to_places_that_change_are_not_held(tmp_path):
    """A two-stage DETR orders its queries by score."""
    probe = probed('ChoosingModel', tmp_path)
    probe.model.as_two_stage = True
    with probe.held():
        assert not vars(probe.model.assigners[0])


def test_decisions_are_released_after_an_exception(tmp_path):
    probe = probed('ChoosingModel', tmp_path)
    model = probe.model
    with pytest.raises(KeyError), probe.held():
        first = [loss.item() for loss in probe.losses()]
        assert vars(model.assigners[0])
        raise KeyError
    assert not vars(model.assigners[0])
    with torch.no_grad():
        model.head.weight.add_(0.01)
    with probe.held():      # what was recorded is forgotten
        assert [loss.item() for loss in probe.losses()] != first
    assert model.chosen[:2] != model.chosen[2:]


def test_the_training_afterwards_is_that_without_a_score(tmp_path):
    runs = {}
    for score in ('magnitude', 'grasp'):
        cfg = toy_config(tmp_path / score, model=dict(type='ChoosingModel'), val=False)
        cfg.default_hooks.prune = dict(type='mmlth.PruneHook', score=score, batches=2)
        runner = Runner.from_cfg(cfg)
        runs[score] = (runner.train(), checkpoint_file.load(tmp_path / score / 'iter_12.pth'))
    (one, plain), (two, drawn) = runs.values()
    assert two.chosen[-12:] == one.chosen and two.noise[-12:] == one.noise
    assert len(two.chosen) == 12 + 2 * (2 * PASSES - 1)     # two steps, one centre
    for name, tensor in plain['state_dict'].items():
        assert torch.equal(tensor, drawn['state_dict'][name]), name


@pytest.mark.parametrize('held', [True, False])
def test_a_two_stage_detector_looks_where_it_first_did(tmp_path, held):
    """Proposals, assignments and samples: the second stage gets the same boxes and targets."""
    make_digits(tmp_path, train=4, val=2, size=96)
    cfg = load_config('configs/lth/faster_rcnn_r18_digits_small.py', cfg_options={
        'train_dataloader.dataset.data_root': f'{tmp_path}/', 'work_dir': str(tmp_path)})
    runner = Runner.from_cfg(cfg)
    loader = DataLoader(runner.build_dataloader(cfg.train_dataloader).dataset, batch_size=2,
                        collate_fn=pseudo_collate)
    model, seen = runner.model, []
    inner = model.roi_head.bbox_head.loss_and_target

    def note(cls_score, bbox_pred, rois, sampling_results, *args, **kwargs):
        found = inner(cls_score, bbox_pred, rois, sampling_results, *args, **kwargs)
        seen.append((rois.clone(), [t.clone() for t in found['bbox_targets']]))
        return found

    model.roi_head.bbox_head.loss_and_target = note
    probe = make_probe(SimpleNamespace(model=model, train_dataloader=loader), 1, seed=0)
    hessian_gradients(
        select(model), probe if held else dataclasses.replace(probe, held=nullcontext))
    (rois, targets), *later = seen
    assert len(later) == PASSES - 1 and len(rois) > 8
    for other, others in later:
        assert torch.equal(rois, other) == held
        assert all(map(torch.equal, targets, others)) == held
    assert 'predict_by_feat' not in vars(model.rpn_head)
    assert not {'assign', 'sample'} & {
        *vars(model.roi_head.bbox_assigner), *vars(model.roi_head.bbox_sampler)}


@pytest.mark.parametrize('model, rough', [('RoughModel', True), ('ToyModel', False)])
def test_noise_is_warned_of_with_both_numbers(tmp_path, model, rough, recwarn):
    """Once, also if the score is taken several times; in the training's log."""
    cfg = toy_config(tmp_path, model=dict(type=model), val=False)
    cfg.default_hooks.prune = dict(
        type='mmlth.PruneHook', score='grasp', batches=2, iterations=3)
    Runner.from_cfg(cfg).train()
    (log,) = tmp_path.glob('2*/*.log')
    found = re.findall(r'grasp: masks .* IoU of (0\.\d\d) \(random masks: (0\.\d\d)\)',
                       log.read_text())
    assert len(found) == rough and 'grasp' not in ''.join(str(w.message) for w in recwarn)
    for agreement, chance in found:
        assert float(agreement) < 0.5 and chance == '0.11'
