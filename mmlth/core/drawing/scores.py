"""The scores that there are. A new one is one function and one entry in ``SCORES``."""
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Union

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..probe import Agreement, Probe, differentiable, mean_gradient, restored
from ..similarity import chance_iou, iou
from ..state import copied, unique
from .score import Score, Scores, as_score
from .selection import keep_highest

STEP = 0.01         # how far the weights move, as a vector, to see the gradient change
COMPARED = 0.8      # sparsity of the masks of two steps
TINY = torch.finfo(torch.float64).tiny


def magnitude(weights: Mapping[str, Tensor], probe: Optional[Probe] = None) -> Scores:
    """The absolute value of each weight (Han et al. 2015; the paper, section 3)."""
    return Scores(weights, absolute=True)


def random(weights: Mapping[str, Tensor], probe: Optional[Probe] = None) -> Scores:
    """Uniform numbers, the same on every device; seeded by the probe, by 0 without one."""
    # Drawn on the CPU: every kind of device has random numbers of its own.
    generator = torch.Generator().manual_seed(probe.seed if probe else 0)
    return Scores({name: torch.rand(weight.shape, generator=generator).to(weight.device)
                   for name, weight in weights.items()}, copied=True)


def snip(weights: Mapping[str, Tensor], probe: Probe) -> Scores:
    """``|w * dL/dw|``: how much the loss changes without the weight (Lee et al. 2019).

    Raises:
        UserError: There is no usable gradient.
    """
    gradient = mean_gradient(weights, probe)
    return _scores('snip', {n: (w.detach() * gradient[n]).abs() for n, w in weights.items()})


def grasp(weights: Mapping[str, Tensor], probe: Probe) -> Scores:
    """``w * Hg``: how much gradient flow is lost with the weight (Wang et al. 2020).

    The paper removes the weights of the highest ``S(-w) = -w * Hg``, so those of the
    highest ``w * Hg`` stay. The sign counts: without a weight of negative score the
    gradient grows. ``Hg`` is taken with two steps, and ``probe.agreements`` gets how far
    the masks that they give agree: where they do not, the scores are noise.

    Raises:
        UserError: There is no usable gradient.
    """
    scores = [
        _scores('grasp', {n: w.detach() * product[n] for n, w in weights.items()})
        for product in hessian_gradients(weights, probe, (STEP, STEP / 2))]
    probe.agreements.append(_agreement(weights, *scores))
    return scores[0]


def _agreement(weights: Mapping[str, Tensor], a: Scores, b: Scores) -> Agreement:
    """Of the masks of two scores; weights that are 0 have none, and are left out."""
    alive = [Scores({n: t[weights[n] != 0] for n, t in s.tensors.items()}) for s in (a, b)]
    one, other = (keep_highest(s, round(COMPARED * s.numel())) for s in alive)
    return Agreement(iou(one, other), chance_iou(one, other))


def hessian_gradients(weights: Mapping[str, Tensor], probe: Probe,
                      lengths: Sequence[float] = (STEP,)) -> List[Dict[str, Tensor]]:
    """``Hg``: Hessian times gradient of the mean loss, both over ``weights`` alone.

    The central difference of gradients at ``w + eg`` and ``w - eg``, with ``e * |g|`` given
    (Liu et al. 2019, DARTS, eq. 8): detectors have operators, RoIAlign for one, that
    cannot be differentiated twice. What the loss decides at ``w`` it decides at both sides.

    Args:
        weights: Live parameters of ``probe.model``, by name.
        probe: Yields the losses.
        lengths: ``e * |g|``, how far the weights move as a vector. Default: 0.01 alone.

    Returns:
        list[dict[str, Tensor]]: Of each length; in the weights' shapes, fp32 or wider.
    """
    products = []
    with probe.held():
        gradient = mean_gradient(weights, probe)
        norm = sum(float(g.double().square().sum()) for g in gradient.values()) ** 0.5
        for step in (length / norm for length in lengths):
            sides = []
            with restored(weights) as centre:
                for signed in (step, -step):
                    with torch.no_grad():
                        for name, weight in weights.items():
                            weight.copy_(centre[name] + signed * gradient[name])
                    sides.append(mean_gradient(weights, probe))
            ahead, behind = sides
            products.append({n: ahead[n].sub_(behind[n]).div_(2 * step) for n in weights})
    return products


def synflow(weights: Mapping[str, Tensor], probe: Probe) -> Scores:
    """The logarithm of ``| |w| * dR/d|w| |``, R the sum of all outputs (Tanaka et al. 2020).

    R is that of a copy in float64 and eval mode, every entry of its state dict replaced by
    its absolute value, on inputs of ones: no data is seen. The products over layers may
    reach 1e60, beyond fp32, hence the logarithm; it keeps the order. A weight that R
    does not depend on has the logarithm of the smallest normal double, -708.4.

    Raises:
        UserError: No output carries gradient, R overflows, or the model cannot be copied.
    """
    model = _linear_copy(probe.model)
    own = dict(model.named_parameters())
    params: Dict[str, Tensor] = {name: own[name].requires_grad_(True) for name in weights}
    with torch.enable_grad(), differentiable():
        outputs = [out for out in probe.outputs(model) if out.requires_grad]
        if not outputs:
            raise UserError('synflow: no output of the model depends on a weight in scope; '
                            'choose another scope or score')
        flow: Tensor = sum(out.sum() for out in outputs)    # type: ignore[assignment]
        if not torch.isfinite(flow):
            raise UserError('synflow: the outputs of the absolute weights are not finite, even in '
                            'float64; choose another score')
        gradient = torch.autograd.grad(flow, list(params.values()), allow_unused=True)
    logs = {}
    for (name, param), grad in zip(params.items(), gradient):
        value = torch.zeros_like(param) if grad is None else param * grad
        logs[name] = value.detach().abs().clamp_min(TINY).log().float()
    return _scores('synflow', logs)


def _linear_copy(model: nn.Module) -> nn.Module:
    """A copy of absolute values: linear in its input, where norms and softmax allow it."""
    model = copied(model).double().eval().requires_grad_(False)
    for tensor in unique(model).values():
        if tensor.is_floating_point():
            tensor.abs_()
    return model


def _scores(score: str, tensors: Mapping[str, Tensor]) -> Scores:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f'{score}: the scores of {name} are not finite; choose another score')
    return Scores(tensors, copied=True)


SCORES: Dict[str, Score] = {method.name: method for method in (
    Score(magnitude, 'magnitude', magnitudes=True),
    Score(random, 'random'),
    Score(snip, 'snip', probed=True),
    Score(grasp, 'grasp', probed=True),
    # SynFlow is defined by its many steps: in one step it empties layers like other scores.
    Score(synflow, 'synflow', probed=True, iterations=100))}


def find_score(method: Union[str, Callable]) -> Score:
    """A score of :data:`SCORES` by its name, or one of the user's own.

    Raises:
        UserError: There is none.
    """
    if not isinstance(method, str):
        return as_score(method)
    if method not in SCORES:
        raise UserError(f'unknown score {method!r}, expected one of: {", ".join(SCORES)}')
    return SCORES[method]
