"""Sample images of models and data that tell less than most: no boxes, no classes."""
import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, InstanceData
from toy import ToyDataset, ToyModel, toy_config

from mmlth.core import paths
from mmlth.engine.chain.samples import keep_samples, samples_section

POINTS = np.array([[[4., 5.], [20., 21.]], [[9., 8.], [30., 12.]]], np.float32)
FOUND = {
    # As MMPose's bottom-up heads predict (DEKR, CID, associative embedding).
    'poses': dict(keypoints=POINTS, keypoint_scores=np.array([[.9, .7], [.2, .1]], np.float32)),
    'points': dict(keypoints=POINTS, scores=torch.tensor([.8, .1])),
    'boxes': dict(bboxes=torch.tensor([[1., 2., 11., 22.], [3., 3., 9., 9.]]),
                  scores=torch.tensor([.8, .1]), labels=torch.tensor([2, 0]))}
TRUTH = {
    'poses': dict(bbox=np.array([[1., 2., 31., 32.]]), keypoints=POINTS[:1],
                  keypoints_visible=np.ones((1, 2))),
    'boxes': dict(instances=[dict(bbox=[1, 2, 11, 22], bbox_label=2)])}
TRUTH['points'] = TRUTH['poses']


@MODELS.register_module(force=True)
class Finder(ToyModel):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def val_step(self, data):
        return [BaseDataElement(pred_instances=InstanceData(**FOUND[self.kind]))]


@DATASETS.register_module(force=True)
class Photos(ToyDataset):
    """Images on the disk, of no classes."""

    def __init__(self, path, kind):
        super().__init__()
        self.info = dict(TRUTH[kind], img_path=path)
        self.metainfo = dict(skeleton_links=[(0, 1)])

    def get_data_info(self, index):
        return self.info


@pytest.mark.parametrize('kind, expected', [
    ('poses', dict(score=.8, category='person', keypoints=[[4, 5, .9], [20, 21, .7]])),
    ('points', dict(score=.8, category='person', keypoints=[[4, 5, 1], [20, 21, 1]])),
    ('boxes', dict(bbox=[1, 2, 10, 20], score=.8, category='class 2'))])
def test_samples_show_what_there_is(tmp_path, kind, expected):
    photo = str(tmp_path / 'photo.png')
    cv2.imwrite(photo, np.zeros((40, 50, 3), np.uint8))
    cfg = toy_config(tmp_path, model=dict(type='Finder', kind=kind))
    cfg.val_dataloader.dataset = dict(type='Photos', path=photo, kind=kind)
    runner = Runner.from_cfg(cfg)
    for index in (0, 1):
        folder = paths.round_dir(tmp_path, index)
        folder.mkdir()
        torch.save(dict(state_dict=runner.model.state_dict()), folder / paths.FINAL)
        keep_samples(runner, folder)
    sample, = json.loads((folder / paths.SAMPLES).read_text())
    assert sample['predictions'] == [expected]
    rounds = [dict(round=0), dict(round=1, scope_sparsity=.8)]
    picture, = samples_section(tmp_path, rounds).pictures
    assert picture.png.startswith(b'\x89PNG')
