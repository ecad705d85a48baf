"""Scores and allocations of a user's own: drawn with as with ours, and checked."""
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import (Allocation, Drawing, Layer, Probe, Score, Scores, allocation, draw,
                        keep_highest, score)
from mmlth.core.drawing.allocations import ALLOCATIONS
from mmlth.core.drawing.score import as_score
from mmlth.core.drawing.scores import SCORES
from mmlth.core.errors import UserError

WEIGHTS = {'a': torch.randn(4, 6), 'b': torch.randn(10)}
PROBE = Probe(torch.nn.Identity(), losses=None, outputs=None)


def squared(weights, probe, power=2):
    return Scores({n: w.detach().abs() ** power for n, w in weights.items()}, copied=True)


def everywhere(scores, sparsity, floor):
    return keep_highest(scores, round(sparsity * scores.numel()))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_plain_function_is_a_method(seed, sparsity, decorated):
    generator = torch.Generator().manual_seed(seed)
    weights = {n: torch.randn(w.shape, generator=generator) for n, w in WEIGHTS.items()}
    methods = dict(score=squared, allocation=everywhere)
    if decorated:
        methods = dict(score=score()(squared), allocation=allocation()(everywhere))
    own, ours = draw(weights, sparsity, **methods), draw(weights, sparsity)
    assert list(own) == list(ours) and all(torch.equal(own[n], ours[n]) for n in own)


@settings(max_examples=30)
@given(st.sampled_from([*ALLOCATIONS, '1:2', '2:3']), st.floats(0, 0.9), st.floats(0, 0.3),
       st.integers(0, 2**32 - 1))
def test_masks_are_what_the_allocation_says_of_itself(name, sparsity, floor, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = {n: torch.randn(6, 6, k, generator=generator) for k, n in enumerate('abc', 1)}
    layers = {n: Layer(macs=k) for k, n in enumerate('abc', 1)}
    drawing = Drawing(allocation=name, floor=min(floor, (1 - sparsity) / 2))
    method = drawing.allocation
    sparsity = sparsity if method.fixed is None else method.fixed
    drawing = Drawing(allocation=name, floor=min(drawing.floor, (1 - sparsity) / 2))
    try:
        drawing.check_room(weights, sparsity, layers)
    except UserError:
        return
    mask = drawing.draw(weights, sparsity, layers=layers)
    costs = Scores(weights, layers=layers).costs()
    method.check_count(mask, sparsity, drawing.floor, costs)
    counts = {n: int(keep.sum()) for n, keep in mask.items()}
    other = drawing.draw({n: torch.randn(w.shape) for n, w in weights.items()}, sparsity,
                         layers=layers)
    if method.by_shape:
        assert counts == {n: int(keep.sum()) for n, keep in other.items()}
    gone = next(n for n in mask if mask[n].any())
    mask[gone].view(-1)[mask[gone].view(-1).nonzero()[0]] = False
    if method.exact in ('scope', 'layer'):
        with pytest.raises(UserError, match='are pruned'):
            method.check_count(mask, sparsity, drawing.floor, costs)


@pytest.mark.parametrize('name', SCORES)
def test_the_steps_are_the_scores_own(name):
    assert Drawing(name).iterations == SCORES[name].iterations
    assert Drawing(SCORES[name]).score is SCORES[name] is Drawing(name).score


def test_arguments_stand_in_the_name():
    found = as_score(partial(score(probed=True, name='fisher')(squared), power=4))
    assert found.name == 'fisher(power=4)' and found.probed
    assert torch.equal(found(WEIGHTS, PROBE).tensors['b'], WEIGHTS['b'].abs() ** 4)


@pytest.mark.parametrize('wrong, message', [
    (lambda w, p: dict(w), "score 'own' must return mmlth.core.Scores, got dict"),
    (lambda w, p: Scores({'a': w['a']}), 'scores of the 2 weights that it got, got 1: that of b '),
    (lambda w, p: Scores({**w, 'c': w['a']}), 'got 3: c is none of them'),
    (lambda w, p: Scores({**w, 'b': w['b'][1:]}),
     r'scores of b must have the shape \(10,\), got \(9,\)'),
    (lambda w, p: Scores({**w, 'b': w['b'] / torch.zeros(10) * 0}), '10 of 10 are NaN'),
    (lambda w, p: Scores({**w, 'b': w['b'].long()}), 'scores of b must be floating-point numbers'),
    (lambda w, p: Scores({**w, 'b': 1.0}), r'scores of b must have the shape \(10,\), got None')])
def test_scores_that_are_none_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        draw(WEIGHTS, 0.5, score=Score(wrong, 'own'))


@pytest.mark.parametrize('wrong, message', [
    (lambda s, sparsity, floor: None, "allocation 'own' must return a mask .* got NoneType"),
    (lambda s, sparsity, floor: {}, 'masks of the 2 weights that it got, got 0: that of a lacks'),
    (lambda s, sparsity, floor: {n: t > 0 for n, t in s.tensors.items() for t in [t[:2]]},
     r'masks of a must have the shape \(4, 6\), got \(2, 6\)'),
    (lambda s, sparsity, floor: dict(s.tensors), 'masks of a must be of torch.bool'),
    (lambda s, sparsity, floor: {n: torch.ones_like(t).bool() for n, t in s.tensors.items()},
     r"exact \('scope'\): sparsity 0.5 of 34 weights is 17, but 0 are pruned")])
def test_masks_that_are_none_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        draw(WEIGHTS, 0.5, allocation=Allocation(wrong, 'own'))


def test_an_allocation_need_not_be_exact():
    whole = allocation(exact=None)(
        lambda scores, sparsity, floor: {n: torch.ones_like(t).bool()
                                         for n, t in scores.tensors.items()})
    assert all(keep.all() for keep in draw(WEIGHTS, 0.5, allocation=whole).values())


def test_a_probed_score_of_ones_own_needs_a_training():
    with pytest.raises(UserError, match="the score 'squared' needs the model and its batches"):
        draw(WEIGHTS, 0.5, score=score(probed=True)(squared))


@pytest.mark.parametrize('setting, message', [
    (dict(score=3), 'a score is a function of weights'), (dict(batches=0), 'number of batches'),
    (dict(batches=True), 'batches must be a whole number'), (dict(iterations=0), 'iterations must'),
    (dict(allocation=3), "unknown allocation 3, expected one of: global")])
def test_settings_are_checked_at_once(setting, message):
    with pytest.raises(UserError, match=message):
        Drawing(**setting)
