"""Data sets whose images a step of the user's own loads, and names that a scope explains."""
import numpy as np
import pytest
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmdet.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from voc_folder import coco_dataset, voc_dataset, write_coco, write_voc

from mmlth.core.errors import UserError
from mmlth.engine.chain.data_check import check_annotation_files, check_loaders, details
from mmlth.engine.chain.data_check.first_look import look_at
from mmlth.engine.chain.data_check.parts import entries


@pytest.fixture
def voc(tmp_path):
    root = write_voc(tmp_path / 'voc')
    write_coco(root)
    for path in sorted((root / 'JPEGImages').iterdir()):       # arrays, whatever they are called
        with open(path, 'wb') as file:
            np.save(file, np.zeros((64, 80, 3), 'f4'))
    return root


@TRANSFORMS.register_module(force=True)
class LoadArray(BaseTransform):
    def transform(self, results):
        results['img'] = np.load(results['img_path'])
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module(force=True)
class LoadArrayFromFile(LoadImageFromFile):
    transform = LoadArray.transform


@TRANSFORMS.register_module(force=True)
class LoadAsMmcv(LoadImageFromFile):
    """Reads what mmcv reads."""


def pipeline(load):
    # This step has an imdecode_backend too.
    return [dict(type=load), dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=False)]


@pytest.mark.parametrize('load, fatal', [
    ('mmdet.LoadArray', 0), ('mmdet.LoadArrayFromFile', 0), ('mmdet.LoadAsMmcv', 6),
    ('mmdet.LoadImageFromFile', 6)])
def test_what_a_step_of_ones_own_loads_is_not_decoded(voc, load, fatal):
    config = coco_dataset(voc, pipeline=pipeline(load))
    found, = check_loaders(Config(dict(train_dataloader=dict(dataset=config))))
    assert (found.images, found.read, len(found.fatal)) == (6, fatal, fatal)
    dataset = DATASETS.build(config)
    if fatal:
        with pytest.raises(UserError, match='does not decode'):
            look_at('train_dataloader', dataset)
    else:
        assert dataset[0]['img'].shape == (64, 80, 3)
        look_at('train_dataloader', dataset)


def test_objects_without_a_box():
    class Masks:
        def __len__(self):
            return 1

        def get_data_info(self, index):
            return dict(img_path='a.jpg', instances=[
                dict(bbox=None, bbox_label=0), dict(bbox=[0, 0, 9, 9], bbox_label=None)])

    entry, = entries(Masks())
    assert entry.boxes.tolist() == [[0, 0, 9, 9]] and entry.labels == [-1]


@pytest.mark.parametrize('scope, named', [
    ('mmdet', dict(type='XMLDataset')), ('mmengine', dict(type='XMLDataset', _scope_='mmdet'))])
def test_annotation_files_are_read_whatever_explains_the_name(tmp_path, scope, named):
    voc = write_voc(tmp_path / 'voc')
    (voc / 'Annotations/3.xml').write_text('<annotation>')
    train = dict(dataset=voc_dataset(voc, **named))
    found, = check_loaders(Config(dict(default_scope=scope, train_dataloader=train)))
    assert 'Annotations/3.xml: no element found' in details([found])
    with DefaultScope.overwrite_default_scope(scope), pytest.raises(UserError, match='3.xml: no '):
        check_annotation_files(dict(train_dataloader=train['dataset']))


def test_numbers_of_classes_are_those_of_cocos_file(tmp_path):
    voc = write_voc(tmp_path / 'voc')
    write_coco(voc)
    train = dict(dataset=coco_dataset(voc, type='CocoDataset',
                                      metainfo=dict(classes=('dog', 'cat'))))
    found, = check_loaders(Config(dict(default_scope='mmdet', train_dataloader=train)))
    assert [f.where for f in found.findings if f.kind == 'order'] == ['cat', 'dog']
