"""What a run is called: its model, its data and its method, from its config."""
import re
from pathlib import Path, PurePosixPath
from typing import Any, Mapping, Optional

from mmlth.core import CONTROLS, paths
from mmlth.core.errors import UserError
from mmlth.engine import PruneHook
from mmlth.engine.chain.data_paths import leaves
from mmlth.engine.chain.state import read_lottery
from mmlth.engine.hook_configs import arguments_of
from mmlth.registry import STARTS, UPDATES, label_of

DIRECT, IMAGENET, CLASSIFIER = 'direct', 'ImageNet ticket', 'classifier'
_DATA = {'coco': 'COCO', 'VOCdevkit': 'VOC', 'imagenet': 'ImageNet'}
# Settings that go without saying.
USUAL = arguments_of(PruneHook)
# Published weights of the classifiers that the paper takes its ImageNet tickets from: who names
# them in front (torchvision://resnet18), words in their names, and names of one backbone alone,
# with a digest (resnet18-f37072fd.pth) or without.
_PUBLISHERS = frozenset(('torchvision', 'timm', 'mmcls', 'mmpretrain'))
_TRAINED_ON = frozenset(('imagenet', 'imagenet1k', 'imagenet21k', 'in1k', 'in21k'))
_BACKBONE = re.compile(r'(?:wide_)?resne[x]?t\d+(?:_\d+x\d+d?)?(?:_[a-z\d]+)*-[\da-f]{8,}'
                       r'|(?:wide_)?resne[x]?t\d+(?:_\d+x\d+d?)?')
_ROUND = re.compile(r'(^|[/\\])round_\d+[/\\][^/\\]+$')     # a file of a lottery's round


def model_label(model: Mapping[str, Any]) -> str:
    """E.g. ``'Faster R-CNN R18'``; a narrowed ResNet has its width, ``'R18 (width 16)'``."""
    kind = _type(model)
    if kind in ('TopdownPoseEstimator', 'BottomupPoseEstimator', 'ImageClassifier'):
        head = _type(model.get('head') or {})
        name = '' if kind == 'ImageClassifier' else head.removesuffix('Head')
        return ' '.join(filter(None, [name, _backbone(model)])) or kind
    name = re.sub(r'(?<=[A-Za-z])-?RCNN', ' R-CNN', kind)
    return f'{name} {_backbone(model)}'.strip()


def data_label(cfg: Mapping[str, Any]) -> str:
    """The last folder of the data root, ``'COCO'`` and ``'VOC'`` spelt as usual."""
    data = next(leaves((cfg.get('train_dataloader') or {}).get('dataset')), {})
    root = last_folder(str(data.get('data_root') or ''))
    return _DATA.get(root, root) or _type(data).removesuffix('Dataset') or 'data'


def last_folder(root: str) -> str:
    """The name of a data root, wherever it lies."""
    return PurePosixPath(root.replace('\\', '/')).name


def method_label(settings: Mapping[str, Any]) -> str:
    """What was done, apart from how much: the same name has the same colour in all figures.

    Args:
        settings: Of :class:`mmlth.analysis.found.run.Run`.
    """
    if settings.get('control'):
        control = CONTROLS.get(settings['control'])
        return f'control: {settings["control"] if control is None else control.label}'
    transfer, parts = settings.get('transfer'), []
    if settings.get('update'):
        parts.append(label_of(UPDATES, settings['update']))
    if transfer:
        parts.append(transfer.get('label') or source_label(transfer))
    if settings.get('allocation', USUAL['allocation']) != USUAL['allocation']:
        parts.append(str(settings['allocation']))
    if settings.get('score', USUAL['score']) != USUAL['score']:
        parts.append(f'{settings["score"]} score')
    parts.append(label_of(STARTS, settings['mode']) if 'mode' in settings else '')
    stop = (settings.get('early_bird') or {}).get('stop')
    if stop:
        parts.append(f'early-bird at {stop["at"]}' if 'at' in stop else 'early-bird')
    return ', '.join(filter(None, parts)) or DIRECT


def source_label(transfer: Mapping[str, Any], beside: Optional[Path] = None) -> str:
    """Whose ticket it is: ``'ImageNet ticket'``, ``'ticket of Keypoint R-CNN R18'``, ...

    Args:
        transfer: Of a PruneHook.
        beside: Where the source's lottery may be found if its path leads nowhere from here:
            a folder of lotteries. Default: None.
    """
    source = str(transfer.get('source') or '')
    path = Path(source)
    folders = list(path.parents)[:3]
    if beside is not None:
        folders += [beside / folder.name for folder in folders if folder.name]
    for folder in folders:
        if (folder / paths.LOTTERY).is_file():
            try:
                cfg = class_names(read_lottery(folder / paths.LOTTERY)['config'])
            except UserError:
                break
            if _type(cfg.get('model') or {}) == 'ImageClassifier':
                data = data_label(cfg)
                return IMAGENET if data == 'ImageNet' else f'ticket of {data} {CLASSIFIER}'
            return f'ticket of {model_label(cfg.get("model") or {})}'
    named = _ROUND.sub('', source)      # its folder's name says more than round_1/final.pth
    name = path.stem if named == source else re.split(r'[/\\]', named)[-1]
    return IMAGENET if _is_published(named) else f'ticket of {name or "another model"}'


def _is_published(source: str) -> bool:
    """Whether a file is named as weights are that a classifier was published with.

    Folders count by whole names: they may have the name of anyone.
    """
    scheme, _, rest = source.lower().rpartition('://')
    *folders, file = re.split(r'[/\\]', rest)
    stem = re.sub(r'\.(pth|pt|bin|safetensors|npz)$', '', file)
    words = set(re.split(r'[\W_]+', stem))
    return bool(scheme in _PUBLISHERS or words & (_TRAINED_ON | _PUBLISHERS)
                or _TRAINED_ON & set(folders) or folders[:1] == ['timm']
                or 'mmclassification' in folders or _BACKBONE.fullmatch(stem))


def _backbone(model: Mapping[str, Any]) -> str:
    backbone = model.get('backbone') or {}
    kind, depth = _type(backbone), backbone.get('depth')
    width = backbone.get('base_channels')
    if depth is None:
        return kind
    short = {'ResNet': 'R', 'ResNetV1d': 'R1d-', 'ResNeXt': 'X'}.get(kind, f'{kind} ')
    # A setting of ResNet alone; elsewhere it has other defaults.
    narrow = kind == 'ResNet' and width not in (None, 64)
    return f'{short}{depth}{f" (width {width})" if narrow else ""}'


def _type(node: Mapping[str, Any]) -> str:
    return str(node.get('type') or '').rpartition('.')[2]


def class_names(node: Any) -> Any:
    """The config with the classes of pure Python configs as names.

    ``lottery.json`` has them as ``"<class 'mmdet.models.FasterRCNN'>"``.
    """
    if isinstance(node, dict):
        return {key: class_names(value) for key, value in node.items()}
    if isinstance(node, list):
        return [class_names(value) for value in node]
    match = re.fullmatch(r"<(?:class|function) '?([\w.]+)'?.*>", node) if isinstance(
        node, str) else None
    return match[1].rpartition('.')[2] if match else node
