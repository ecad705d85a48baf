"""The names of detectors' parts, and which group a parameter belongs to."""
import re
from typing import Dict, List, Mapping, Sequence

from torch import Tensor

# C4 detectors keep their backbone's layer4 in the shared head.
BACKBONE = ('backbone', 'roi_head.shared_head')
# "All values till the box head modules" (the paper, Table 4).
TILL_HEADS = ('backbone', 'neck', 'rpn_head', 'roi_head.shared_head')
# What a model's top level has beside the backbone.
BEHIND_BACKBONE = ('neck', 'rpn_head', 'roi_head', 'bbox_head', 'head')

# Shortcut convolutions of residual blocks belong to no other group: the paper's
# percentages (Table 3: base 21.93 %, top 66.39 %) leave them out.
SHORTCUT = re.compile(r'(^|\.)layer\d+\.\d+\.downsample\.')

# A teacher is not trained by the optimizer: it is fixed, or the average of its student
# (MMDetection's MeanTeacherHook), which has the student's zeros then.
TEACHER = re.compile(r'(^|\.)teacher(\.|_)')
STUDENT = re.compile(r'(^|\.)student(?=\.|_)')

# The paper's modules for C4 detectors, then those of FPN detectors. `head` and
# `box_head` are one thing under the paper's name and under the R-CNNs' name. Any
# top-level child of a model (`bbox_head`, `encoder`, ...) is a group as well.
GROUPS = {name: re.compile(pattern) for name, pattern in {
    'stem': r'^backbone\.(conv1|stem)\.',
    'base': r'^backbone\.layer[123]\.',
    'top': r'^(backbone|roi_head\.shared_head)\.layer4\.',
    'backbone': r'^backbone\.',
    'neck': r'^neck\.',
    'rpn': r'^rpn_head\.',
    'head': r'^(roi_head\.bbox_head|bbox_head|head)\.',
    'box_head': r'^roi_head\.bbox_head\.',
    'mask_head': r'^roi_head\.mask_head\.',
    'keypoint_head': r'^roi_head\.keypoint_head\.',
}.items()}


def groups_of(name: str) -> List[str]:
    """The groups that the parameter ``name`` belongs to, the narrowest first."""
    if SHORTCUT.search(name):
        return ['downsample']
    groups = [group for group, pattern in GROUPS.items() if pattern.search(name)]
    top_level = name.split('.')[0]
    return groups if top_level in groups else [*groups, top_level]


def teachers_of(params: Mapping[str, Tensor]) -> Dict[str, str]:
    """The teacher's counterpart of each parameter of a student: its name by the student's.

    It has the same name but for ``teacher`` in the place of ``student``, and the same shape.
    Whether it is an average, only the training tells: a fixed one may be as large as its student.
    """
    names = {name: STUDENT.sub(r'\1teacher', name, count=1) for name in params}
    return {name: other for name, other in names.items()
            if other != name and other in params and params[other].shape == params[name].shape}


def part_of(name: str) -> str:
    """The part that a parameter is of: ``backbone``, ``neck``, ``roi_head.shared_head``, ..."""
    return '.'.join(name.split('.')[:2 if name.startswith('roi_head.') else 1])


def any_of(parts: Sequence[str]) -> str:
    """A regular expression of names that lie in one of these parts, without the last dot."""
    return f'(?:{"|".join(map(re.escape, parts))})'
