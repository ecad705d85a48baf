"""What would end a training hours from now is found at once, in real files."""
import json
import subprocess
import sys
from pathlib import Path

import mmcv
import pytest
from mmengine.config import Config
from toy import lottery_config
from voc_folder import (CLASSES, coco_dataset, voc_dataset, write_coco, write_voc, write_xml)

from mmlth.analysis.measure.truth import training_counts
from mmlth.core.errors import UserError
from mmlth.engine import LotteryRunner
from mmlth.engine.chain.data_check import check_loaders, details, table
from mmlth.engine.chain.data_check import images as images_module

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def voc(tmp_path):
    return write_voc(tmp_path / 'voc')


def look(train, every_image=True, val=None):
    cfg = dict(train_dataloader=dict(dataset=train))
    if val:
        cfg['val_dataloader'] = dict(dataset=val)
    return check_loaders(Config(cfg), every_image)


class TakesItsSettings:
    """A transform that empties what it was built from, as MMDetection's ``Albu`` does in part."""

    def __init__(self, settings):
        settings.clear()

    def __call__(self, data):
        return data


def test_the_config_stays_as_it_is(voc):
    """What a lottery compares when it is resumed."""
    dataset = voc_dataset(voc)
    dataset['pipeline'] = [dict(type=TakesItsSettings, settings=dict(lost=True))]
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    check_loaders(cfg)
    training_counts(cfg)
    assert cfg.train_dataloader.dataset.pipeline[0]['settings'] == dict(lost=True)


def kinds(found):
    return {finding.kind for finding in found.findings}


def cut(path, part=0.6):
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * part)])


def cut_image(root):
    cut(root / 'JPEGImages/3.jpg')
    return 'JPEGImages/3.jpg: does not decode (image file is truncated'


def lose_image(root):
    (root / 'JPEGImages/3.jpg').unlink()
    return 'JPEGImages/3.jpg: cannot be read ('


def cut_xml(root):
    cut(root / 'Annotations/3.xml')
    return 'Annotations/3.xml: '


def lose_xml(root):
    (root / 'Annotations/3.xml').unlink()
    return 'Annotations/3.xml: No such file or directory'


def lose_corner(root):
    path = root / 'Annotations/3.xml'
    path.write_text(path.read_text().replace('xmax', 'x2'))
    return 'Annotations/3.xml: an object lacks its name, its bndbox or one of xmin'


def empty_corner(root):
    path = root / 'Annotations/3.xml'
    path.write_text(path.read_text().replace('<ymin>11</ymin>', '<ymin/>'))
    return 'Annotations/3.xml: an object lacks its name, its bndbox or one of xmin'


def flatten(root):
    write_xml(root, 3, box=(11, 11, 11, 51))
    return 'JPEGImages/3.jpg: the box (10, 10, 10, 50) has no area'


def rename(root):
    for i in range(6):
        write_xml(root, i, name='horse')
    return 'none of the classes cat, dog is in the annotation files, which have horse'


FATAL = {'unread': [cut_image, lose_image],
         'annotation': [cut_xml, lose_xml, lose_corner, empty_corner, rename], 'flat': [flatten]}


def test_a_sound_data_set_has_no_findings(voc):
    write_coco(voc)
    train, val = look(voc_dataset(voc), val=coco_dataset(voc, test_mode=True))
    for found in (train, val):
        assert (found.images, found.read, found.objects, found.classes) == (6, 6, 6, 2)
        assert found.findings == []
    assert details([train, val]) == '' and '| images read ' in table([train, val])


@pytest.mark.parametrize('kind, damage', [
    (kind, damage) for kind, damages in FATAL.items() for damage in damages])
def test_what_ends_a_training_is_found_by_file(voc, kind, damage):
    expected = damage(voc)
    found, = look(voc_dataset(voc))
    assert {f.kind for f in found.fatal} == {kind}
    assert expected in details([found]).split('To be known')[0]


def test_what_does_not_end_it_is_told(voc):
    write_xml(voc, 0, size=(64, 80))                # turned
    write_xml(voc, 1, name='horse')                 # its image then has no object
    write_xml(voc, 2, box=(11, 11, 99, 51))
    found, = look(voc_dataset(voc, metainfo=dict(classes=(*CLASSES, 'cow')), filter_cfg=None))
    assert found.fatal == [] and found.objects == 5
    assert kinds(found) == {'size', 'outside', 'empty', 'class', 'unnamed', 'unseen'}
    told = details([found])
    assert '0.jpg: is 80 x 64 pixels, annotated as 64 x 80' in told
    assert '2.jpg: the box (10, 10, 98, 50) leaves the image of 80 x 64 pixels' in told
    assert 'horse: is in the annotation files, but not a class of the config' in told


def test_an_object_whose_name_is_empty_is_left_out_and_told(voc):
    path = voc / 'Annotations/3.xml'
    path.write_text(path.read_text().replace('<name>dog</name>', '<name/>'))
    found, = look(voc_dataset(voc, filter_cfg=None))
    assert found.fatal == [] and found.objects == 5
    assert '(no name): is in the annotation files, but not a class' in details([found])


def test_ignored_boxes_and_those_of_the_validation_are_no_fault(voc):
    flatten(voc)
    train, val = look(voc_dataset(voc, filter_cfg=dict(bbox_min_size=1)),
                      val=voc_dataset(voc, test_mode=True))
    assert train.fatal == [] and kinds(train) == {'empty'} and train.ignored == 1
    assert val.fatal == [] and kinds(val) == {'flat'}


def test_an_image_that_is_cut_short_is_told_where_the_decoder_fills_it(voc, monkeypatch):
    cut_image(voc)
    whole = (voc / 'JPEGImages/2.jpg').read_bytes()
    decode = mmcv.imfrombytes
    monkeypatch.setattr(images_module.mmcv, 'imfrombytes', lambda content, **kwargs: (
        decode(whole if len(content) < 0.9 * len(whole) else content, **kwargs)))
    found, = look(voc_dataset(voc))
    assert found.fatal == [] and kinds(found) == {'cut'}


def test_a_sample_is_spread_over_the_data_set(tmp_path, monkeypatch):
    root = write_voc(tmp_path / 'many', 9)
    monkeypatch.setattr('mmlth.engine.chain.data_check.check.SAMPLE', 3)
    cut_image(root)                                 # every third is in the sample
    found, = look(voc_dataset(root), every_image=False)
    assert (found.images, found.read, len(found.fatal)) == (9, 3, 1)


def test_coco_files_tell_what_is_left_out(voc):
    content = write_coco(voc)
    content['annotations'][0]['bbox'] = [10, 10, 0, 40]
    content['annotations'][1]['image_id'] = 77
    content['annotations'][2]['category_id'] = 9
    content['annotations'][3]['bbox'] = [80, 10, 30, 40]
    content['annotations'][4]['bbox'] = [10, 10, 0.5, 40]
    (voc / 'coco.json').write_text(json.dumps(content))
    found, = look(coco_dataset(voc, filter_cfg=None))
    assert found.objects == 1 and found.fatal == []
    told = details([found])
    for text in ('0.jpg: annotation 0 has the box [10, 10, 0, 40] (x, y, width, height) without',
                 'annotation 1 is of an image 77 that is not listed',
                 '2.jpg: annotation 2 is of a category 9 that is not listed',
                 '3.jpg: annotation 3 has the box [80, 10, 30, 40] (x, y, width, height) beyond '
                 'its image of 80 x 64 pixels',
                 '4.jpg: annotation 4 has the box [10, 10, 0.5, 40] (x, y, width, height) thinner'):
        assert text in told
    cut(voc / 'coco.json')
    found, = look(coco_dataset(voc))
    assert [f.kind for f in found.fatal] == ['annotation']


def test_classes_in_another_order_than_cocos_file(voc):
    """MMDetection numbers them by the file: the names would be another's, silently."""
    write_coco(voc)
    for classes, wrong in ((CLASSES, []), (CLASSES[::-1], ['cat', 'dog']),
                           (('cow', *CLASSES), ['cat', 'dog'])):
        metainfo = dict(classes=classes)
        coco, = look(coco_dataset(voc, metainfo=metainfo))
        by_config, = look(voc_dataset(voc, metainfo=metainfo))
        assert [f.where for f in coco.findings if f.kind == 'order'] == wrong
        assert 'order' not in kinds(by_config)
        assert coco.fatal == []
    assert 'cat: is number 0 of the annotation file, and so goes by the name of cow' in (
        details([coco]))


def test_files_that_number_classes_differently(voc, tmp_path):
    """What is learnt as a cat would be measured as a dog."""
    content = write_coco(voc)
    other = dict(content, categories=content['categories'][::-1])
    (voc / 'other.json').write_text(json.dumps(other))
    both = dict(val=coco_dataset(voc, ann_file='other.json', test_mode=True))
    train, val = look(coco_dataset(voc), **both)
    assert train.fatal == [] and [f.where for f in val.fatal] == ['dog', 'cat']
    expected = 'dog: is class 0 here and class 1 in train_dataloader: one class would be taken'
    assert expected in details([val])
    mixed, = look(dict(type='ConcatDataset', datasets=[coco_dataset(voc), both['val']]))
    assert [f.where for f in mixed.fatal] == ['dog', 'cat']
    cfg = lottery_config(tmp_path / 'lottery')
    cfg.train_dataloader.dataset, cfg.val_dataloader.dataset = coco_dataset(voc), both['val']
    with pytest.raises(UserError, match=f'val_dataloader: {expected}'):
        LotteryRunner.from_cfg(cfg).train()


def test_wrapped_data_sets_are_looked_into(voc):
    write_coco(voc)
    found, = look(dict(type='RepeatDataset', times=3, dataset=dict(
        type='ConcatDataset', datasets=[coco_dataset(voc), coco_dataset(voc)])))
    assert (found.images, found.objects, found.findings) == (12, 12, [])
    cut_image(voc)
    found, = look(dict(type='RepeatDataset', times=3, dataset=voc_dataset(voc)))
    assert len(found.fatal) == 1


def test_persons_and_folders_of_classes(voc, tmp_path):
    write_coco(voc)
    poses = dict(type='mmpose.CocoDataset', data_root=f'{voc}/', ann_file='coco.json',
                 data_prefix=dict(img='JPEGImages/'), data_mode='topdown',
                 pipeline=[dict(type='mmpose.LoadImage')])
    for i in range(6):
        folder = tmp_path / 'folders' / CLASSES[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'{i}.jpg').write_bytes((voc / f'JPEGImages/{i}.jpg').read_bytes())
    folders = dict(type='mmpretrain.CustomDataset', data_root=str(tmp_path / 'folders'),
                   pipeline=[dict(type='LoadImageFromFile')])
    for found in look(poses, val=folders):
        assert (found.images, found.read, found.objects, found.findings) == (6, 6, 6, [])
    cut_image(voc)
    cut(tmp_path / 'folders/dog/3.jpg')
    for found in look(poses, val=folders):
        assert [f.kind for f in found.fatal] == ['unread']


def lottery(work_dir, train):
    cfg = lottery_config(work_dir, val=False)
    cfg.train_dataloader.dataset = train
    return LotteryRunner.from_cfg(cfg)


@pytest.mark.parametrize('damage', [d for damages in FATAL.values() for d in damages])
def test_a_lottery_refuses_before_its_first_iteration(voc, tmp_path, damage):
    expected = damage(voc)
    with pytest.raises(UserError) as error:
        lottery(tmp_path / 'lottery', voc_dataset(voc)).train()
    assert str(error.value).startswith('train_dataloader: ') and expected in str(error.value)
    assert 'tools/check_data.py CONFIG --all' in str(error.value)


def test_of_a_large_file_only_the_end_is_looked_at(voc, monkeypatch, tmp_path):
    write_coco(voc)
    cut(voc / 'coco.json')
    monkeypatch.setattr('mmlth.engine.chain.data_check.first_look._LARGE', 100)
    with pytest.raises(UserError, match=r'coco\.json: its end is missing'):
        lottery(tmp_path / 'lottery', coco_dataset(voc)).train()


def test_the_tool_on_real_photographs(real_data):
    """BCCD has two boxes without an area; the shipped config ignores them."""
    root = f'{real_data}/bccd/BCCD/'
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tools/check_data.py'),
         str(ROOT / 'configs/lth/faster_rcnn_r18_bccd.py'), '--all', '--cfg-options',
         f'train_dataloader.dataset.data_root={root}', f'val_dataloader.dataset.data_root={root}',
         'train_dataloader.dataset.filter_cfg.bbox_min_size=None'],
        capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert [line for line in result.stdout.splitlines() if 'has no area' in line] == [
        f'  {root}JPEGImages/BloodImage_00338.jpg: the box (503, 336, 503, 336) has no area',
        f'  {root}JPEGImages/BloodImage_00343.jpg: the box (180, 328, 180, 328) has no area']
    assert '| images read                           |              292 |             72 |' in (
        result.stdout)
