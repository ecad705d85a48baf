"""One image as a config's model takes it, without its data."""
import pytest
import torch
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.registry import TRANSFORMS

from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.example import example


@TRANSFORMS.register_module(force=True)
class LoadMore(LoadAnnotations):
    """A user's, of a name that nobody knows."""

    def transform(self, results):
        raise ValueError('there are no annotations')


@pytest.mark.parametrize('name', [
    'keypoint_rcnn_r18_digits_small', 'keypoint_rcnn_r50_coco', 'mask_rcnn_r18_digits_small',
    'faster_rcnn_r18_voc', 'td_hm_r18_digits_small', 'rtmpose_s_coco_prune80'])
def test_no_annotations_are_asked_for(name):
    batch = example(load_config(f'configs/lth/{name}.py'), shape=(64, 96))
    image, = batch['inputs']
    assert image.dtype == torch.uint8 and image.shape[0] == 3
    if 'rcnn' in name:
        assert image.shape == (3, 64, 96)


def test_a_loading_step_of_a_user_is_left_out_too():
    cfg = load_config('configs/lth/faster_rcnn_r18_digits_small.py')
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline.insert(1, dict(type='LoadMore', with_bbox=True))
    assert example(cfg, shape=(64, 96))['inputs'][0].shape == (3, 64, 96)
    pipeline.insert(1, dict(type='LoadProposals'))
    with pytest.raises(UserError, match="asks for more than an image: KeyError.'proposals'"):
        example(cfg)


@pytest.mark.parametrize('config, found', [
    ('mmdet::yolox/yolox_s_8xb8-300e_coco.py', None),
    ('mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py', None),
    ('mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py',
     (256, 192))])
def test_another_shape_than_asked_for_is_told(monkeypatch, config, found):
    told = []
    monkeypatch.setattr('mmlth.engine.example.print_log', lambda text, **kwargs: told.append(text))
    image, = example(load_config(config), shape=(128, 160))['inputs']
    assert tuple(image.shape[-2:]) == (found or (128, 160))
    assert [text.split(' (')[0] for text in told] == (
        ["the network's input is 256 x 192"] if found else [])
