"""What is compared is what it is called: floors, dense trainings, iterations."""
import pytest
from mmengine.registry import RUNNERS
from toy import lottery_config

from mmlth.core.errors import UserError


def test_a_floor_without_room_is_refused_before_the_training(tmp_path):
    cfg = lottery_config(tmp_path, sparsity=0.95, model=dict(width=1))
    cfg.default_hooks.prune.floor = 0.05
    with pytest.raises(UserError, match='keeps 3 weights of 3 layers, but only 1 may survive'):
        RUNNERS.build(cfg).train()
    assert not list(tmp_path.glob('round_0/*.pth'))


def test_layerwise_with_a_floor_trains_a_layer_of_few_weights(tmp_path):
    cfg = lottery_config(tmp_path, sparsity=0.9, model=dict(width=1), iters=4, to='0it')
    cfg.default_hooks.prune.update(floor=0.1, allocation='layerwise')
    RUNNERS.build(cfg).train()
