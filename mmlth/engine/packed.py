"""Pack a trained ticket into one file, and make a model of it again."""
from typing import Any, Optional

from mmengine.config import Config
from torch import nn

from mmlth.core import prunable
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.sparse import sparsify
from mmlth.sparse.packed import PackedModel

from .afresh import remove_pretrained
from .checkpoints import plain
from .dump import NOT_PLAIN, parse
from .evaluation import evaluation_config
from .example import example
from .loading import load_weights
from .model import build_model, check_model
from .reading import read_checkpoint


def pack(cfg: Config, checkpoint: str, half: bool = False) -> PackedModel:
    """The packed model of a checkpoint.

    Args:
        cfg: Its config.
        checkpoint: A ``final.pth``, or any checkpoint of this model with zeros in its weights;
            of one with an EMAHook's average, that is packed: what is evaluated.
        half: See :meth:`~mmlth.sparse.packed.PackedModel.pack`. Default: False.

    Raises:
        UserError: It is no checkpoint of this model, or its modules keep what a file of plain
            values cannot hold.
    """
    check_model(cfg)
    cfg = evaluation_config(cfg)
    remove_pretrained(cfg.model)
    model = build_model(cfg)
    load_weights(checkpoint, model, evaluated=True)
    extra, others = states.extra_states(model.state_dict())
    if others:
        raise UserError(f'the extra state of {", ".join(others)} is not of the plain values that a '
                        'packed file can hold')
    saved = (read_checkpoint(checkpoint).get('meta') or {}).get('dataset_meta')
    return PackedModel.pack(prunable(model), states.snapshot(model), dict(
        config=_text(cfg), dataset_meta=plain(saved or {}), extra_state=extra), half)


def _text(cfg: Config) -> str:
    """Assignments of plain values, without the room that ``pretty_text`` takes."""
    text = ''.join(f'{key} = {value!r}\n' for key, value in cfg.to_dict().items())
    try:
        parse(text)
    except NOT_PLAIN as error:
        raise UserError(f'the config is not of plain values, as a packed file holds them: '
                        f'{str(error)[:200]}; give its objects by their names') from None
    return text


def load(path: AnyPath, sparse: bool = True, batch: Optional[Any] = None) -> nn.Module:
    """The model of a packed file, in eval mode on the CPU.

    It has its config as ``cfg`` and its class names in ``dataset_meta``, as MMDetection's
    ``inference_detector`` and MMPose's ``inference_topdown`` want. The config is read as data;
    modules that its ``custom_imports`` names are imported.

    Args:
        path: The file.
        sparse: Whether the model is to compute with its surviving weights
            (:func:`~mmlth.sparse.sparsify`). Default: True; False leaves it as it was trained.
        batch: Of a usual size, for ``test_step``, that its layers are measured on. Default: None,
            an image of noise as the test pipeline prepares it.

    Raises:
        UserError: The file is missing, damaged or of another kind, or not of this model.
    """
    packed = PackedModel.load(path)
    try:
        cfg = parse(packed.meta['config'])
        names, extra = packed.meta['dataset_meta'], packed.meta['extra_state']
        weights = packed.weights()
    except NOT_PLAIN as error:
        raise UserError(f'{path} cannot be read as a packed model: its header is malformed '
                        f'({str(error)[:200]}); pack or copy it again') from None
    model = build_model(cfg)
    states.fit_buffers(model, weights)
    states.load(model, weights, str(path))
    states.set_extra_states(model, extra)
    model.cfg, model.dataset_meta = cfg, names
    model.eval()
    if sparse:
        sparsify(model, example(cfg) if batch is None else batch)
    return model
