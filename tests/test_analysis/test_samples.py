"""Sample images: which are chosen, and what is drawn on them."""
import base64
import io
import json

import numpy as np
import pytest
from evaluated import evaluations, precision, write_evaluation, write_run
from oracles import save, use_masks, use_oracle
from PIL import Image
from pycocotools import mask as coco_mask
from small_lottery import small_config, small_digits
from written import one

from mmlth.analysis.measure.evaluate import evaluate
from mmlth.analysis.sections.samples import samples_sections
from mmlth.core.errors import UserError
from mmlth.engine.chain.samples import IMAGES
from mmlth.report.picture import PANEL, colour_of, render_objects

GREY = (128, 128, 128)


@pytest.fixture(scope='module')
def examples(tmp_path_factory):
    """Those of a detector that is always right, and the annotations."""
    folder = tmp_path_factory.mktemp('samples')
    data = small_digits(folder / 'digits')
    found = evaluate(use_oracle(use_masks(small_config(data, folder))), save(folder / 'w.pth'))
    content = json.loads((data / 'annotations/instances_val.json').read_text())
    return found['examples'], content


def test_the_first_images_with_three_objects(examples):
    found, content = examples
    number = {image['id']: sum(a['image_id'] == image['id'] for a in content['annotations'])
              for image in content['images']}
    enough = [image for image, objects in number.items() if objects >= 3]
    assert len(number) > len(enough) >= IMAGES
    assert [e['image_id'] for e in found] == enough[:IMAGES]
    for example in found:
        assert len(example['truth']) == number[example['image_id']]
        key = (lambda o: (o['category'], o['bbox']))
        for (name, box), (guess, other) in zip(*(sorted(map(key, example[part]))
                                                 for part in ('truth', 'predictions'))):
            assert name == guess and box == pytest.approx(other, abs=0.1)
        assert len(example['truth']) == len(example['predictions'])
        assert all(o['score'] == 1 and 'mask' in o for o in example['predictions'])
        assert all('keypoints' not in o for o in example['truth'])    # not asked of it
        photo = Image.open(io.BytesIO(base64.b64decode(example['jpeg'])))
        assert photo.size == (example['width'], example['height'])


def pixels(image):
    return np.asarray(image).astype(int)


def rgb(colour):
    return [int(colour[i:i + 2], 16) for i in (1, 3, 5)]


def test_boxes_masks_and_skeletons_lie_where_they_belong():
    area = np.zeros((50, 100), np.uint8, order='F')
    area[10:40, 60:90] = 1
    mask = coco_mask.encode(area)
    objects = [
        dict(category='cat', score=0.9, bbox=[5, 20, 20, 20]),
        dict(category='dog', mask=dict(size=mask['size'], counts=mask['counts'].decode())),
        dict(category='man', keypoints=[[35, 5, 2], [45, 45, 2], [99, 0, 0]])]
    photo = Image.new('RGB', (200, 100), GREY)
    drawn = pixels(render_objects(photo, objects, 2.0, [[0, 1], [1, 2]]))
    assert (pixels(photo) == GREY).all()        # the photo itself is untouched
    assert drawn[60, 11].tolist() == rgb(colour_of('cat'))      # the box's left edge
    assert drawn[60, 30].tolist() == list(GREY)                 # not what is in it
    inside, outside = drawn[50, 150], drawn[50, 110]
    assert outside.tolist() == list(GREY) and inside.tolist() != list(GREY)
    assert np.abs(inside - rgb(colour_of('dog'))).sum() < np.abs(
        np.subtract(GREY, rgb(colour_of('dog')))).sum()
    assert drawn[50, 80].tolist() == rgb(colour_of('man'))      # halfway along the link
    assert drawn[0, 198].tolist() == list(GREY)                 # a point that is not there


def test_side_by_side(examples, tmp_path):
    found, _ = examples
    unsure = [dict(e, predictions=[dict(o, score=0.2) for o in e['predictions']]) for e in found]
    runs = [write_run(tmp_path / str(seed), *[dict(bbox=precision(0.1))] * 2, seed=seed)
            for seed in (1, 0)]
    for run in runs:
        for index, kept in enumerate((found, unsure)):
            write_evaluation(run.folder, index, {}, examples=kept)
    section = one(samples_sections, runs, evaluations(runs))
    assert len(section.pictures) == IMAGES and 'at least 3' in section.text
    for picture, example in zip(section.pictures, found):
        image = Image.open(io.BytesIO(picture.png))
        assert image.format == 'PNG' and image.width == 3 * PANEL + 16
        count = len(example['truth'])
        assert picture.caption.endswith(
            f'Objects: {count} ground truth, {count} dense, 0 ticket.')
        assert 'seed 0' in picture.caption
        left, middle, right = (pixels(image)[30:, i * (PANEL + 8):i * (PANEL + 8) + PANEL]
                               for i in range(3))
        assert (left != right).any() and (middle != right).any()
    assert len({p.key for p in section.pictures}) == IMAGES


def test_nothing_to_show(tmp_path):
    runs = [write_run(tmp_path / 'a', *[dict(bbox=precision(0.1))] * 2, dense_iterations=5)]
    with pytest.raises(UserError, match='no drawn ticket'):
        one(samples_sections, runs, evaluations(runs))


def test_only_images_that_were_evaluated_are_chosen(examples, tmp_path):
    """``indices`` evaluates a part of the images; the annotation file has them all."""
    folder = small_digits(tmp_path / 'digits')
    cfg = use_oracle(small_config(folder, tmp_path))
    cfg.val_dataloader.dataset.indices = [1, 4]
    found = evaluate(cfg, save(tmp_path / 'w.pth'))['examples']
    ids = [image['id'] for image in examples[1]['images']]
    assert {example['image_id'] for example in found} == {ids[1], ids[4]}
    # A detector has boxes and nothing else.
    assert all(set(o) == {'category', 'bbox', 'score'} for e in found for o in e['predictions'])
