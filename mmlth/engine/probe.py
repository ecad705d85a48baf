"""Losses and outputs on real batches, for the scores that look at more than the weights."""
import copy
from typing import Any, Dict, Iterator, List, Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmlth.core.errors import UserError
from mmlth.core.probe import Probe
from mmlth.core.random_state import kept_random_state

from .batches import batch_size_of, random_batches
from .decisions import Decisions
from .ranks import together
from .runners import bare_model


def make_probe(runner: Runner, batches: int, seed: int) -> Probe:
    """The probe of a training that is about to begin, or has ended.

    The training is left as it was: samples are drawn from its data set with a random
    state of their own. In distributed training every rank takes part, with the same
    samples: a loss may speak to the other ranks, and the scores are those of one process.

    Args:
        runner: Whose model and train data set are used.
        batches: How many batches, of the train loader's size.
        seed: Chooses the samples, and the noise of augmentations and losses.
    """
    model, loader = bare_model(runner.model), runner.train_dataloader
    loaded: Dict[int, List[Any]] = {}

    def load(count: int, size: int) -> List[Any]:
        if size not in loaded:      # not every score needs them
            with together():
                loaded[size] = load_batches(loader, count, size, seed)
        return copy.deepcopy(loaded[size])      # preprocessing changes boxes and masks in place

    size = batch_size_of(loader)
    decisions = Decisions(model)
    return Probe(model=model, seed=seed, held=decisions.held,
                 losses=lambda: _losses(model, load(batches, size), seed, decisions),
                 # A batch of ones would be one image over and over.
                 outputs=lambda replica: _outputs(replica, model, load(1, 1)[0], seed))


def load_batches(loader: DataLoader, count: int, size: int, seed: int) -> List[Any]:
    """``count`` batches of ``size`` random samples of the loader's data set."""
    collate = loader.collate_fn or pseudo_collate
    with kept_random_state(seed):
        return [collate([loader.dataset[i] for i in indices])
                for indices in random_batches(loader, count, size, seed)]


def _losses(model: BaseModel, batches: Sequence[Any], seed: int,
            decisions: Decisions) -> Iterator[Tensor]:
    """The loss of each batch; every call draws the same random numbers."""
    decisions.begin()
    with kept_random_state(seed):
        for data in batches:
            data = model.data_preprocessor(data, True)
            loss, _ = model.parse_losses(model._run_forward(data, mode='loss'))
            yield loss


def _outputs(replica: BaseModel, model: BaseModel, data: Any, seed: int) -> List[Tensor]:
    """What a copy of the model answers to an image of ones, as tensors that carry gradient."""
    with kept_random_state(seed):
        data = model.data_preprocessor(data, True)
        extra = _given_proposals(replica, model, data) if hasattr(model, 'rpn_head') else []
        dtype = next(replica.parameters()).dtype
        ones = [torch.ones_like(t, dtype=dtype) for t in tensors_of(data['inputs'])]
        data['inputs'] = ones[0] if isinstance(data['inputs'], Tensor) else ones
        try:
            found = replica._run_forward(data, mode='tensor')
        except Exception as error:
            raise UserError(
                f"{type(model).__name__} does not run with mode='tensor' ({type(error).__name__}: "
                f'{error}), as this score needs it; take another score') from error
    return [t for t in tensors_of([found, extra]) if t.is_floating_point() and t.requires_grad]


def _given_proposals(replica: BaseModel, model: BaseModel, data: Any) -> List[Any]:
    """Let the second stage of a detector's copy look where the model itself looks.

    The copy's own proposals would mean nothing, and mmcv's NMS knows no float64. Returns a
    list that receives the raw outputs of the copy's first stage, which its ``forward``
    does not give.
    """
    outputs: List[Any] = []
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        proposals = model.rpn_head.predict(
            model.extract_feat(data['inputs']), data['data_samples'], rescale=False)
    for module, mode in modes.items():
        module.training = mode
    for result in proposals:
        result.bboxes = result.bboxes.to(next(replica.parameters()).dtype)

    def predict(features: Any, data_samples: Any, rescale: bool = False) -> Any:
        outputs.append(replica.rpn_head(features))
        return proposals

    replica.rpn_head.predict = predict
    return outputs


def tensors_of(value: Any) -> List[Tensor]:
    """All tensors in nested lists, tuples, dicts and objects of data."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for item in value for t in tensors_of(item)]
    if hasattr(value, 'items'):     # also mmengine's InstanceData
        return [t for _, item in value.items() for t in tensors_of(item)]
    return []
