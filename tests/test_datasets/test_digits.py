"""The embedded digits: files that are whole, repeatable, and right."""
import hashlib
import json
import multiprocessing
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset, VOCDataset
from pycocotools.coco import COCO
from sklearn.datasets import load_digits

import mmlth.datasets.digits as digits_module
from mmlth.datasets import make_digits
from mmlth.datasets.digits_files import crop
from mmlth.datasets.digits_render import enlarge
from mmlth.datasets.digits_scene import MIN_VISIBLE, compose

SMALL = dict(seed=3, train=6, val=3, size=96)
CLASSES = tuple('0123456789')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Scenes of the real size, enough of them to count classes and areas."""
    return make_digits(tmp_path_factory.mktemp('digits') / 'digits', train=150, val=50)


@pytest.fixture(params=['train', 'val'])
def coco(request, root):
    return COCO(str(root / 'annotations' / f'instances_{request.param}.json'))


def sources(root, split):
    content = json.loads((root / 'annotations' / f'instances_{split}.json').read_text())
    return {a['source']: a['category_id'] - 1 for a in content['annotations']}


def hashes(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*')) if path.is_file()
    }


def test_same_arguments_give_the_same_bytes(tmp_path):
    first = hashes(make_digits(tmp_path / 'a', **SMALL))
    assert first == hashes(make_digits(tmp_path / 'b', **SMALL))
    crops = {path for path in first if path.startswith('crops/')}
    assert len(first) - len(crops) == 9 * 3 + 2 + 2 + 1  # jpg twice, xml; json; lists; digits.json
    other = hashes(make_digits(tmp_path / 'c', **{**SMALL, 'seed': 4}))
    assert first.keys() - crops == {path for path in other if not path.startswith('crops/')}
    same = {path for path in first if first[path] == other.get(path)}
    assert same == {f'VOC2007/ImageSets/Main/{name}.txt' for name in ('trainval', 'test')}


def test_more_scenes_keep_the_first_ones(tmp_path):
    few = make_digits(tmp_path / 'few', **SMALL)
    many = make_digits(tmp_path / 'many', **{**SMALL, 'train': 8})
    for folder in ('train', 'crops/train'):
        for path in sorted(p for p in (few / folder).rglob('*.jpg')):
            assert path.read_bytes() == (many / path.relative_to(few)).read_bytes()


def test_splits_use_disjoint_scans(root):
    train, val = sources(root, 'train'), sources(root, 'val')
    assert train and val and not train.keys() & val.keys()
    target = load_digits().target
    assert all(target[i] == label for i, label in {**train, **val}.items())


def test_boxes_areas_and_masks_agree(root, coco):
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation).astype(bool)
        ys, xs = np.nonzero(mask)
        x, y, width, height = annotation['bbox']
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x, y, x + width, y + height)
        assert annotation['area'] == mask.sum() > 0
        image = coco.imgs[annotation['image_id']]
        assert mask.shape == (image['height'], image['width'])


def test_masks_of_a_scene_do_not_overlap_and_digits_stay_visible(coco):
    counts, hidden = set(), 0
    for image_id in coco.imgs:
        annotations = coco.imgToAnns[image_id]
        counts.add(len(annotations))
        total = sum(coco.annToMask(a).astype(int) for a in annotations)
        assert total.max() == 1
        hidden += sum(1 in a['keypoints'][2::3] for a in annotations)
    assert counts == {1, 2, 3, 4, 5, 6}
    assert hidden > 0  # overlaps exist


def test_no_digit_is_hidden_too_much():
    scans = load_digits()
    glyphs, pool = enlarge(scans.images[:200]), np.arange(200)
    parts = []
    for seed in range(40):
        _, digits = compose(np.random.default_rng(seed), glyphs, scans.target, pool,
                            np.full(10, 0.1), 128)
        parts += [digit.visible.sum() / digit.full.sum() for digit in digits]
        assert not any((digit.visible & ~digit.full).any() for digit in digits)
    assert MIN_VISIBLE <= min(parts) < 1


def test_keypoints_are_the_extreme_pixels(coco):
    names = ['top', 'left', 'bottom', 'right']
    assert all(c['keypoints'] == names for c in coco.cats.values())
    whole = 0
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        points = np.array(annotation['keypoints']).reshape(4, 3)
        (_, top), (left, _), (_, bottom), (right, _) = points[:, :2]
        x, y, width, height = annotation['bbox']
        # The box is that of the visible part, the points are those of the whole digit.
        assert top <= y and left <= x and bottom >= y + height - 1 and right >= x + width - 1
        for px, py, flag in points:
            assert flag == (2 if mask[py, px] else 1)
        if (points[:, 2] == 2).all():
            whole += 1
            assert (left, top, right + 1, bottom + 1) == (x, y, x + width, y + height)
    assert whole > len(coco.anns) / 2


def test_sizes_and_class_frequencies(root):
    coco = COCO(str(root / 'annotations' / 'instances_train.json'))
    areas = np.array([a['area'] for a in coco.anns.values()])
    small, large = (areas < 32**2).mean(), (areas > 96**2).mean()
    assert small > 0.2 and large > 0.02 and 1 - small - large > 0.2
    labels = [a['category_id'] - 1 for a in coco.anns.values()]
    counts = np.bincount(labels, minlength=10)
    assert counts.min() > 0 and counts[0] > 3 * counts[9]


def test_digits_differ_from_what_surrounds_them(root, coco):
    split = 'train' if 1 in coco.imgs else 'val'
    contrasts = []
    for annotation in coco.anns.values():
        name = coco.imgs[annotation['image_id']]['file_name']
        image = cv2.imread(str(root / split / name)).astype(float)
        mask = coco.annToMask(annotation)
        around = cv2.dilate(mask, np.ones((9, 9), np.uint8)) > mask
        contrasts.append(np.abs(image[mask > 0].mean(0) - image[around].mean(0)).max())
    assert np.median(contrasts) > 40


def test_every_digit_has_a_crop_in_the_folder_of_its_class(root, coco):
    split = 'train' if 1 in coco.imgs else 'val'
    folder = root / 'crops' / split
    assert sorted(path.name for path in folder.iterdir()) == list(CLASSES)
    found = {int(path.stem): int(path.parent.name) for path in folder.rglob('*.jpg')}
    assert found == {i: a['category_id'] - 1 for i, a in coco.anns.items()}


def test_crops_are_squares_of_the_scene_with_the_digit_in_the_middle(root, coco):
    split = 'train' if 1 in coco.imgs else 'val'
    inside = 0
    for i, annotation in coco.anns.items():
        image = coco.imgs[annotation['image_id']]
        scene = cv2.imread(str(root / split / image['file_name'])).astype(int)
        crop = cv2.imread(
            str(root / 'crops' / split / CLASSES[annotation['category_id'] - 1] / f'{i:06d}.jpg'))
        x, y, width, height = annotation['bbox']
        side = len(crop)
        assert crop.shape == (side, side, 3)
        assert 1.1 * max(width, height) <= side <= 1.25 * max(width, height)
        left, top = x - (side - width) // 2, y - (side - height) // 2
        if min(left, top) >= 0 and max(left, top) + side <= image['width']:
            inside += 1
            # both went through JPEG
            assert np.abs(scene[top:top + side, left:left + side] - crop).mean() < 8
    assert inside > len(coco.anns) / 3


def test_a_crop_at_the_border_repeats_it():
    image = np.arange(100, dtype=np.uint8).reshape(10, 10, 1).repeat(3, 2)
    part = crop(image, (0, 0, 8, 2))
    assert part.shape == (10, 10, 3)  # 8 and 1 on both sides
    assert np.array_equal(part[:, 1:], image[np.array([0] * 5 + [1, 2, 3, 4, 5])][:, :9])
    assert np.array_equal(part[:, 0], part[:, 1])


def test_classes_without_a_digit_keep_their_folder(tmp_path):
    root = make_digits(tmp_path / 'digits', **SMALL)
    folders = list((root / 'crops' / 'val').iterdir())
    assert sorted(folder.name for folder in folders) == list(CLASSES)
    assert not all(any(folder.iterdir()) for folder in folders)


@pytest.mark.parametrize('split,image_set', [('train', 'trainval'), ('val', 'test')])
def test_mmdet_reads_both_layouts_alike(root, split, image_set):
    common = dict(metainfo=dict(classes=CLASSES), pipeline=[], test_mode=True)
    coco = CocoDataset(
        data_root=str(root), ann_file=f'annotations/instances_{split}.json',
        data_prefix=dict(img=f'{split}/'), **common)
    voc = VOCDataset(
        data_root=str(root), ann_file=f'VOC2007/ImageSets/Main/{image_set}.txt',
        data_prefix=dict(sub_data_root='VOC2007/'), **common)
    assert len(coco) == len(voc) > 0
    for a, b in zip(coco, voc):
        assert cv2.imread(a['img_path']).shape == (a['height'], a['width'], 3)
        assert open(a['img_path'], 'rb').read() == open(b['img_path'], 'rb').read()
        labels = [[i['bbox_label'] for i in item['instances']] for item in (a, b)]
        assert labels[0] == labels[1]
        # VOC's last pixel belongs to the box.
        boxes = np.array([i['bbox'] for i in a['instances']]) - [0, 0, 1, 1]
        assert np.array_equal(boxes, [i['bbox'] for i in b['instances']])


def test_voc_marks_digits_that_are_partly_hidden(root):
    occluded = [
        int(item.text) for path in (root / 'VOC2007' / 'Annotations').iterdir()
        for item in ElementTree.parse(path).iterfind('object/occluded')
    ]
    assert 0 < sum(occluded) < len(occluded)


def test_finished_set_is_not_written_again(tmp_path):
    root = make_digits(tmp_path / 'digits', **SMALL)
    before = {p: p.stat().st_mtime_ns for p in root.rglob('*')}
    assert make_digits(root, **SMALL) == root
    assert before == {p: p.stat().st_mtime_ns for p in root.rglob('*')}


@pytest.mark.parametrize('change', [dict(seed=4), dict(train=7), dict(val=2), dict(size=128)])
def test_other_arguments_are_refused(tmp_path, change):
    root = make_digits(tmp_path / 'digits', **SMALL)
    before = hashes(root)
    with pytest.raises(ValueError, match="expected .*found .*'seed': 3.*[Dd]elete"):
        make_digits(root, **{**SMALL, **change})
    assert hashes(root) == before


def test_foreign_folder_is_refused_and_kept(tmp_path):
    (tmp_path / 'digits').mkdir()
    (tmp_path / 'digits' / 'thesis.txt').write_text('mine')
    with pytest.raises(ValueError, match='digits.json'):
        make_digits(tmp_path / 'digits', **SMALL)
    assert [p.name for p in tmp_path.rglob('*')] == ['digits', 'thesis.txt']


@pytest.mark.parametrize('wrong', [dict(seed=-1), dict(train=0), dict(val=0), dict(size=63)])
def test_arguments_out_of_range(tmp_path, wrong):
    with pytest.raises(ValueError, match=f'{[*wrong][0]}={[*wrong.values()][0]}'):
        make_digits(tmp_path / 'digits', **{**SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    compose, calls = digits_module.compose, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return compose(*args)

    monkeypatch.setattr(digits_module, 'compose', interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_digits(tmp_path / 'digits', **SMALL)
    assert not list(tmp_path.iterdir())
    assert make_digits(tmp_path / 'digits', **SMALL).is_dir()  # and a second attempt works


def test_processes_that_start_at_once(tmp_path):
    context = multiprocessing.get_context('spawn')
    processes = [
        context.Process(target=make_digits, args=(tmp_path / 'digits', ), kwargs=SMALL)
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0, 0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ['digits']
    assert hashes(tmp_path / 'digits') == hashes(make_digits(tmp_path / 'alone', **SMALL))


def test_loser_of_the_race_takes_the_winner_s_files(tmp_path, monkeypatch):
    write = digits_module._write

    def overtaken(tree, wanted):
        write(tree, wanted)
        if not (tmp_path / 'digits').exists():
            write(tmp_path / 'digits', wanted)
            (tmp_path / 'digits' / 'winner').touch()

    monkeypatch.setattr(digits_module, '_write', overtaken)
    assert (make_digits(tmp_path / 'digits', **SMALL) / 'winner').exists()
    assert [p.name for p in tmp_path.iterdir()] == ['digits']
