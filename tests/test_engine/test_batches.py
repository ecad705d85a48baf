"""Batches beside the training are composed as the training's are."""
import json

import pytest
import torch
from mmdet.datasets import samplers  # noqa: F401
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from mmpose.datasets import CombinedDataset
from torch.utils.data import ConcatDataset
from toy import ToyDataset, ToyModel, lottery_config, run_lottery

from mmlth.core import paths
from mmlth.engine.batches import random_batches

MIXED = dict(type='mmdet.MultiSourceSampler', batch_size=6, source_ratio=[1, 2])


@DATASETS.register_module(force=True)
class PartlyLabelled(ConcatDataset):
    """16 samples with labels, then 8 without."""

    metainfo = ToyDataset.METAINFO

    def __init__(self):
        super().__init__([ToyDataset(16), ToyDataset(8)])

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return sample if index < 16 else {**sample, 'labels': torch.tensor(-1)}


@MODELS.register_module(force=True)
class PartlyLabelledToy(ToyModel):
    """Its loss takes batches of two labelled and four other samples, and no others."""

    def forward(self, inputs, labels, mode='tensor'):
        if mode == 'loss':
            assert (labels >= 0).tolist() == [True, True, False, False, False, False]
            labels = labels.clamp(min=0)
        return super().forward(inputs, labels, mode)


class Combined(CombinedDataset):
    """The same, as MMPose mixes data sets."""

    def __init__(self):
        self.datasets, self._lens = [ToyDataset(16), ToyDataset(8)], [16, 8]

    def __len__(self):
        return 24

    def full_init(self):
        """Nothing is to be read."""


def batches(sampler, count, size=6, seed=0, dataset=PartlyLabelled, **kwargs):
    loader = Runner.build_dataloader(dict(
        dataset=dataset(), sampler=dict(sampler), batch_size=6, num_workers=0, **kwargs),
        seed=5)
    return random_batches(loader, count, size, seed)


@pytest.mark.parametrize('scope, dataset', [('mmdet', PartlyLabelled), ('mmpose', Combined)])
def test_a_mixture_keeps_its_ratio_and_each_source_its_turns(scope, dataset):
    found = batches({**MIXED, 'type': f'{scope}.MultiSourceSampler'}, 4, dataset=dataset)
    for batch in found:
        assert [index < 16 for index in batch] == [True, True, False, False, False, False]
    assert sorted(i for batch in found for i in batch[2:]) == sorted([*range(16, 24)] * 2)
    labelled = [i for batch in found for i in batch[:2]]
    assert len(set(labelled)) == len(labelled)
    assert all(index < 16 for batch in batches(MIXED, 3, size=1) for index in batch)


@pytest.mark.parametrize('sampler', [
    dict(type='DefaultSampler', shuffle=False), dict(type='InfiniteSampler'), MIXED],
    ids=lambda sampler: sampler['type'])
def test_the_seed_alone_chooses_them(sampler):
    assert batches(sampler, 3) == batches(sampler, 3) != batches(sampler, 3, seed=1)


@pytest.mark.parametrize('batch_sampler', [None, dict(type='mmdet.AspectRatioBatchSampler')])
def test_all_samples_come_before_one_comes_again(batch_sampler):
    found = batches(dict(type='DefaultSampler'), 9, size=3, batch_sampler=batch_sampler)
    assert [len(batch) for batch in found] == [3] * 9
    drawn = [index for batch in found for index in batch]
    assert sorted(drawn[:24]) == list(range(24)) and drawn[24:] == drawn[:3]


def test_snip_scores_a_model_that_takes_only_such_batches(tmp_path):
    cfg = lottery_config(tmp_path, model=dict(type='PartlyLabelledToy'), latency=False,
                         default_hooks=dict(prune=dict(score='snip', batches=3)))
    cfg.train_dataloader.update(dataset=dict(type='PartlyLabelled'), sampler=MIXED, batch_size=6)
    run_lottery(cfg)
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert [entry['status'] for entry in rounds] == ['done', 'done']
