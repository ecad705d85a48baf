"""A pass over the data, of each kind of sampler, on one process and on two."""
from types import SimpleNamespace

import mmdet.datasets.samplers as of_mmdet
import mmengine.dataset.sampler as of_mmengine
import pytest
from mmdet.datasets.samplers import multi_source_sampler
from mmengine.runner import EpochBasedTrainLoop, Runner
from toy import ToyDataset

from mmlth.engine import passes


class Photos(ToyDataset):
    """Landscapes and portraits."""

    def get_data_info(self, index):
        return dict(width=1 + index % 2, height=1)


def two_sources():
    whole = Photos(24)
    whole.datasets, whole.cumulative_sizes = [Photos(12), Photos(12)], [12, 24]
    whole.get_cat_ids, whole.metainfo = (lambda index: [index % 3]), dict(classes='abc')
    return whole


SOURCES = dict(batch_size=6, source_ratio=[1, 1])


@pytest.mark.parametrize('ranks', [1, 2])
@pytest.mark.parametrize('sampler', [
    dict(type='InfiniteSampler'), dict(type='DefaultSampler'),
    dict(type='mmdet.MultiSourceSampler', **SOURCES),
    dict(type='mmdet.GroupMultiSourceSampler', **SOURCES),
    dict(type='mmdet.ClassAwareSampler', seed=0)], ids=lambda sampler: sampler['type'])
def test_a_pass_is_all_images_once(monkeypatch, sampler, ranks):
    for module in (of_mmengine, multi_source_sampler, of_mmdet.class_aware_sampler):
        monkeypatch.setattr(module, 'get_dist_info', lambda: (0, ranks))
    monkeypatch.setattr(passes, 'get_world_size', lambda: ranks)
    data = two_sources()
    for batches in (None, dict(type='mmdet.AspectRatioBatchSampler')):
        loader = Runner.build_dataloader(dict(
            dataset=data, sampler=dict(sampler), batch_sampler=batches, batch_size=6,
            num_workers=0), seed=0)
        runner = SimpleNamespace(train_dataloader=loader, train_loop=None)
        assert passes.iterations_of_pass(runner) == 24 / (6 * ranks)


def test_an_epoch_is_what_the_loop_makes_of_it(monkeypatch):
    """Whatever its sampler says: mmengine counts iterations by it."""
    monkeypatch.setattr(passes, 'get_world_size', lambda: 2)
    loader = Runner.build_dataloader(dict(
        dataset=ToyDataset(24), sampler=dict(type='InfiniteSampler'), batch_size=6), seed=0)
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    runner = SimpleNamespace(train_dataloader=loader, train_loop=loop)
    assert passes.iterations_of_pass(runner) == 4
