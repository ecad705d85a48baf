"""COCO persons with keypoints, as an MMDetection data set."""
from typing import Any, List, Mapping, Optional

import numpy as np
from mmdet.datasets import CocoDataset

from mmlth.registry import DATASETS

_SIDES = ('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')

COCO_PERSON = dict(
    classes=('person', ),
    palette=[(220, 20, 60)],
    keypoint_names=('nose', *(f'{side}_{part}' for part in _SIDES
                              for side in ('left', 'right'))),
    flip_pairs=tuple((f'left_{part}', f'right_{part}') for part in _SIDES),
    skeleton=(
        ('left_ankle', 'left_knee'), ('left_knee', 'left_hip'),
        ('right_ankle', 'right_knee'), ('right_knee', 'right_hip'), ('left_hip', 'right_hip'),
        ('left_shoulder', 'left_hip'), ('right_shoulder', 'right_hip'),
        ('left_shoulder', 'right_shoulder'), ('left_shoulder', 'left_elbow'),
        ('right_shoulder', 'right_elbow'), ('left_elbow', 'left_wrist'),
        ('right_elbow', 'right_wrist'), ('left_eye', 'right_eye'), ('nose', 'left_eye'),
        ('nose', 'right_eye'), ('left_eye', 'left_ear'), ('right_eye', 'right_ear'),
        ('left_ear', 'left_shoulder'), ('right_ear', 'right_shoulder')),
    # How far annotators disagree, as a fraction of the object's scale: pycocotools' values.
    sigmas=(.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107,
            .087, .087, .089, .089))


def flip_indices(metainfo: dict) -> List[int]:
    """For each keypoint the index of the one it becomes in a mirror.

    Args:
        metainfo: With ``keypoint_names`` and, if any, ``flip_pairs`` of such names.
    """
    names = list(metainfo['keypoint_names'])
    mirror = {name: name for name in names}
    for left, right in metainfo.get('flip_pairs', ()):
        mirror[left], mirror[right] = right, left
    unknown = set(mirror) - set(names)
    if unknown:
        raise ValueError(f'flip_pairs name {sorted(unknown)}, which are no keypoint_names')
    return [names.index(mirror[name]) for name in names]


@DATASETS.register_module()
class CocoKeypointDetDataset(CocoDataset):
    """A COCO keypoint file: boxes for the detector, keypoints for its keypoint branch.

    COCO gives keypoints as pixel indices and boxes as continuous coordinates. Here both are
    continuous, as in Detectron2: half a pixel is added to the keypoints, and
    ``mmlth.CocoKeypointDetMetric`` takes it off again. Crowds are marked ``ignore_flag``,
    so that they become ``ignored_instances``.

    Args:
        metainfo (dict): Beside ``classes`` and ``palette``: ``keypoint_names`` in the
            file's order, ``flip_pairs`` and ``skeleton`` (pairs of such names), ``sigmas`` (one of
            each). Default: COCO's 17 keypoints of ``person``; other keypoints need their own
            ``flip_pairs`` and ``sigmas``, and have no skeleton unless it is given.
        filter_cfg (dict): As in :class:`mmdet.datasets.CocoDataset`, and
            ``min_keypoints``: train only on images with so many labelled keypoints.
            Detectron's Keypoint R-CNN takes 1. Default: 0, all images.
        *args, **kwargs: Those of :class:`mmdet.datasets.CocoDataset`.
    """
    METAINFO = COCO_PERSON

    @classmethod
    def _load_metainfo(cls, metainfo: Optional[Mapping[str, Any]] = None) -> dict:
        """Those that are given, and the class's own of the same keypoints.

        Raises:
            ValueError: Keypoints of other names come without ``flip_pairs`` or ``sigmas``.
        """
        metainfo = {} if metainfo is None else metainfo
        loaded = super()._load_metainfo(metainfo)
        if list(loaded['keypoint_names']) != list(cls.METAINFO['keypoint_names']):
            lacking = [key for key in ('flip_pairs', 'sigmas') if key not in metainfo]
            if lacking:
                raise ValueError(
                    f'metainfo names keypoints of its own and needs {" and ".join(lacking)} for '
                    'them: flip_pairs=() if none change places in a mirror, and in sigmas how far '
                    "annotators disagree about each, as a fraction of the object's scale")
            loaded['skeleton'] = metainfo.get('skeleton', ())
        return loaded

    def load_data_list(self) -> List[dict]:
        self.flip_indices = flip_indices(self.metainfo)
        names, sigmas = self.metainfo['keypoint_names'], self.metainfo['sigmas']
        if len(sigmas) != len(names):
            raise ValueError(f'metainfo has {len(sigmas)} sigmas for {len(names)} keypoint_names')
        unknown = {name for bone in self.metainfo['skeleton'] for name in bone} - set(names)
        if unknown:
            raise ValueError(f'skeleton names {sorted(unknown)}, which are no keypoint_names')
        return super().load_data_list()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """As in CocoDataset; each instance has ``keypoints`` (K, 3) as (x, y, v)."""
        instances = []
        # The parent leaves out some annotations: one by one, each keeps its keypoints.
        for annotation in raw_data_info['raw_ann_info']:
            one = super().parse_data_info({**raw_data_info, 'raw_ann_info': [annotation]})
            instances += [dict(instance, keypoints=self._keypoints(annotation))
                          for instance in one['instances']]
        return {**super().parse_data_info({**raw_data_info, 'raw_ann_info': []}),
                'instances': instances}

    def _keypoints(self, annotation: dict) -> np.ndarray:
        flat = annotation.get('keypoints') or [0] * 3 * len(self.flip_indices)
        if len(flat) != 3 * len(self.flip_indices):
            raise ValueError(
                f'{self.ann_file}: annotation {annotation.get("id")} has {len(flat)} numbers '
                f'for {len(self.flip_indices)} keypoint_names, expected 3 for each')
        keypoints = np.array(flat, dtype=np.float32).reshape(-1, 3)
        keypoints[keypoints[:, 2] > 0, :2] += 0.5
        return keypoints

    def get_data_info(self, idx: int) -> dict:
        return dict(super().get_data_info(idx), flip_indices=self.flip_indices)

    def filter_data(self) -> List[dict]:
        kept = super().filter_data()
        least = (self.filter_cfg or {}).get('min_keypoints', 0)
        if self.test_mode or not least:
            return kept
        return [info for info in kept if _labelled(info) >= least]


def _labelled(info: dict) -> int:
    return sum(int((instance['keypoints'][:, 2] > 0).sum())
               for instance in info['instances'] if not instance['ignore_flag'])
