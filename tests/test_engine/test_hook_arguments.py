"""What our hooks take: every setting has one default, in one place."""
from dataclasses import fields

import pytest
from toy import lottery_config

from mmlth.core import Drawing
from mmlth.core.errors import UserError
from mmlth.engine import PruneHook, TicketHook
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.hook_configs import arguments_of


class Twice(PruneHook):
    """Half is pruned, layer by layer."""

    def __init__(self, allocation='layerwise', **kwargs):
        super().__init__(**{'sparsity': 0.5, **kwargs}, allocation=allocation)


def test_how_masks_are_drawn_has_the_defaults_of_core():
    known = arguments_of(PruneHook)
    assert {field.name: known[field.name] for field in fields(Drawing)} == {
        field.name: field.default for field in fields(Drawing)}
    assert not {'round', 'rewind', 'start', 'out'} & set(known)
    assert {**arguments_of(Twice), 'allocation': 'global'} == known
    spec = Twice(floor=0.1).spec
    assert (spec.drawing.allocation.name, spec.drawing.floor, spec.sparsities) == (
        'layerwise', 0.1, (0.0, 0.5))


def test_an_unknown_argument_is_named(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.default_hooks.prune.alocation = 'erk'
    with pytest.raises(UserError, match="no argument 'alocation'; how masks are drawn is said by "
                                        'score, allocation, floor, iterations, batches'):
        LotterySpec.of(cfg)


def test_files_at_home_are_found(monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    hook = PruneHook(transfer=dict(source='~/final.pth'))
    assert hook.spec.source(0).spec.source == '/home/me/final.pth'
    assert TicketHook('~/ticket.safetensors').path == '/home/me/ticket.safetensors'
