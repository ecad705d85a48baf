"""A few validation images of each round: what is on them, and what the round's model finds."""
import json
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import DataLoader

from mmlth.core import paths
from mmlth.core.files import write_text
from mmlth.core.state import snapshot
from mmlth.report import Picture, Section
from mmlth.report.picture import (encode_mask, encode_polygons, keep_photo, render_columns,
                                  to_png)

from ..runners import bare_model
from .data_check.parts import entries, parts

IMAGES = 3          # that are kept
OBJECTS = 3         # that each has at least
SCORE = 0.3         # predictions of a lower score are not shown
_ENTRIES = 500      # of the data that are chosen from
_Image = TypeVar('_Image')


def choose(objects: Mapping[_Image, int]) -> List[_Image]:
    """The first :data:`IMAGES` images with enough objects, else those with most.

    Args:
        objects: Image -> how many objects it has.
    """
    enough = [image for image, count in objects.items() if count >= OBJECTS]
    return (enough if len(enough) >= IMAGES else
            sorted(objects, key=objects.__getitem__, reverse=True))[:IMAGES]


def keep_samples(runner: Runner, folder: Path) -> None:
    """Let the weights of ``final.pth`` predict a few images; ``samples.json`` keeps them.

    Nothing of a model without a validation loop, or whose data set names no images.

    Args:
        runner: Whose training has ended.
        folder: Of its round.
    """
    dataset = getattr(getattr(runner.val_loop, 'dataloader', None), 'dataset', None)
    whole = list(parts(dataset)) == [dataset] and hasattr(dataset, 'get_data_info')
    if not whole:
        return
    found = list(islice(entries(dataset), _ENTRIES))
    counts: Dict[str, int] = {}
    for entry in found:
        counts[entry.path] = counts.get(entry.path, 0) + len(entry.boxes) - sum(entry.ignored)
    wanted = [path for path in choose(counts) if counts[path]]
    model = bare_model(runner.model)
    with _final_weights(model, folder / paths.FINAL), torch.no_grad():
        samples = [_sample(model, runner.val_loop.dataloader, path, [
            i for i, entry in enumerate(found) if entry.path == path]) for path in wanted]
    write_text(folder / paths.SAMPLES, json.dumps(samples) + '\n')


@contextmanager
def _final_weights(model: nn.Module, checkpoint: Path) -> Iterator[None]:
    """For evaluation; with an EMAHook the weights in memory are not those that are kept."""
    before, modes = snapshot(model), {module: module.training for module in model.modules()}
    try:
        model.load_state_dict(torch.load(checkpoint, map_location='cpu', weights_only=True)[
            'state_dict'])
        model.eval()
        yield
    finally:
        model.load_state_dict(before, strict=False)
        for module, mode in modes.items():
            module.training = mode


def _sample(model: BaseModel, loader: DataLoader, path: str,
            indices: Sequence[int]) -> Dict[str, Any]:
    """In top-down pose an image is several entries, one per person."""
    dataset: BaseDataset = loader.dataset
    found = [sample.pred_instances for sample in model.val_step(
        loader.collate_fn([dataset[i] for i in indices]))]
    names = dataset.metainfo.get('classes')
    photo = keep_photo(path, getattr(dataset, 'backend_args', None))
    size = photo['height'], photo['width']
    truth = [item for i in indices for item in _annotated(dataset.get_data_info(i), names, size)]
    left_out = {key for key, plural in (('mask', 'masks'), ('keypoints', 'keypoints'))
                if not any(plural in instances for instances in found)}
    return dict(
        photo, path=path, skeleton=skeleton_of(dataset.metainfo),
        truth=[{k: v for k, v in item.items() if k not in left_out} for item in truth],
        predictions=[item for instances in found for item in _predicted(instances, names)])


def _predicted(instances: InstanceData,
               names: Optional[Sequence[str]]) -> Iterator[Dict[str, Any]]:
    """Objects of MMDetection's and MMPose's ``pred_instances``; some poses have no boxes there."""
    fields = {key: _array(value) for key, value in instances.items()}
    poses, visible = 'keypoints' in fields, fields.get('keypoint_scores')
    for i, score in enumerate(_scores(fields)):
        if score < SCORE:
            continue
        kept = dict(
            _box(fields['bboxes'][i]) if 'bboxes' in fields else {}, score=round(score, 3),
            category=_category(names, fields['labels'][i]) if names or not poses else 'person')
        if 'masks' in fields:
            kept['mask'] = encode_mask(fields['masks'][i])
        if poses:
            kept['keypoints'] = _points(
                fields['keypoints'][i], None if visible is None else visible[i])
        yield kept


def _scores(fields: Mapping[str, np.ndarray]) -> List[float]:
    """One per object: of its box, or the mean of its keypoints' (bottom-up poses)."""
    for key in ('scores', 'bbox_scores'):
        if key in fields:
            return [float(score) for score in fields[key]]
    return [float(np.mean(scores)) for scores in fields['keypoint_scores']]


def _annotated(info: Mapping[str, Any], names: Optional[Sequence[str]],
               size: Tuple[int, int]) -> Iterator[Dict[str, Any]]:
    """Objects of an entry of MMDetection's or MMPose's data."""
    for instance in info.get('instances', ()):
        if instance.get('ignore_flag') or 'bbox' not in instance:
            continue
        kept = dict(_box(instance['bbox']), category=_category(names, instance['bbox_label']))
        if instance.get('mask') is not None:
            mask = instance['mask']
            kept['mask'] = (encode_polygons(mask, size) if isinstance(mask, list)
                            else encode_mask(mask))
        if instance.get('keypoints') is not None:
            kept['keypoints'] = _points(np.reshape(instance['keypoints'], (-1, 3)))
        yield kept
    if 'instances' not in info:
        for i, box in enumerate(info['bbox']):
            yield dict(_box(box), category='person', keypoints=_points(
                info['keypoints'][i], np.asarray(info['keypoints_visible'][i])))


def _category(names: Optional[Sequence[str]], label: Any) -> str:
    """Its number, where the data set names no classes."""
    return str(names[int(label)]) if names else f'class {int(label)}'


def _box(corners: Sequence[float]) -> Dict[str, Any]:
    x1, y1, x2, y2 = map(float, corners)
    return dict(bbox=[round(v, 1) for v in (x1, y1, x2 - x1, y2 - y1)])


def _points(points: np.ndarray, visible: Optional[np.ndarray] = None) -> List[List[float]]:
    """K triples x, y, visibility or score. The last may stand apart; without, all are visible."""
    if points.shape[1] == 2:
        last = np.ones(len(points)) if visible is None else visible
        points = np.concatenate([points, np.reshape(last, (len(points), -1))[:, :1]], 1)
    return [[round(float(v), 2) for v in point] for point in points]


def _array(value: Any) -> np.ndarray:
    value = getattr(value, 'tensor', value)     # boxes of a type
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def skeleton_of(meta: Mapping[str, Any]) -> List[List[int]]:
    """Pairs of indices, as MMPose has them, or from this package's pairs of names."""
    if 'skeleton_links' in meta:
        return [list(map(int, link)) for link in meta['skeleton_links']]
    names = list(meta.get('keypoint_names', ()))
    return [[names.index(a), names.index(b)] for a, b in meta.get('skeleton', ())]


def samples_section(work_dir: Path, rounds: Sequence[Mapping[str, Any]]) -> Optional[Section]:
    """What is on the images, what the dense model finds, and what the last ticket.

    Args:
        work_dir: The lottery's.
        rounds: Its entries in ``lottery.json``.

    Returns:
        Section: None where not both kept samples of the same images.
    """
    dense, ticket = (_read(paths.round_dir(work_dir, rounds[k]['round'])) for k in (0, -1))
    pictures = []
    for number, (path, sample) in enumerate(dense.items()):
        if path not in ticket:
            continue
        columns = [('ground truth', sample['truth']), ('dense', sample['predictions']),
                   (f'ticket, {rounds[-1]["scope_sparsity"]:.0%} of the scope pruned',
                    ticket[path]['predictions'])]
        counts = ', '.join(f'{len(items)} {title.split(",")[0]}' for title, items in columns)
        pictures.append(Picture(f'sample_{number}', to_png(render_columns(sample, columns)),
                                f'{Path(path).name}. Objects: {counts}.'))
    if not pictures:
        return None
    return Section(
        'samples', 'Sample images', f'The first {IMAGES} of the validation images with at least '
        f'{OBJECTS} annotated objects (if there are not so many, those with the most), whatever '
        'is predicted on them. Left: ground truth; middle: the dense model; right: the last '
        f'round. Predictions with a score of {SCORE} and above are shown.', pictures=pictures)


def _read(folder: Path) -> Dict[str, Dict[str, Any]]:
    """Path of each image -> its sample; empty for lotteries of before, which kept none."""
    path = folder / paths.SAMPLES
    return {sample['path']: sample for sample in json.loads(path.read_text(encoding='utf-8'))
            } if path.is_file() else {}
