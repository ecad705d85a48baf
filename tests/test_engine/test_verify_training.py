"""The files of a round are of one training, and are those that the lottery says."""
import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS
from toy import lottery_config, run_lottery

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core import mask as masks
from mmlth.engine.checkpoints import checkpoint_entry, masks_of
from mmlth.engine.verify import Violation, verify

NAME = 'backbone.3.weight'


@HOOKS.register_module(force=True)
class MyAverage(EMAHook):
    """An average that no text of the config tells."""


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Lotteries that differ in their seed; one has an average, and no last checkpoint."""
    root = tmp_path_factory.mktemp('finished')
    run_lottery(lottery_config(root / 'one', latency=False))
    run_lottery(lottery_config(root / 'other', latency=False, randomness=dict(seed=8)))
    run_lottery(lottery_config(
        root / 'averaged', latency=False, custom_hooks=[dict(type='MyAverage', momentum=0.1)],
        default_hooks=dict(checkpoint=dict(interval=5, save_last=False))))
    return root


@pytest.fixture
def work(finished, tmp_path):
    return Path(shutil.copytree(finished / 'one', tmp_path / 'one'))


def edit(path, change):
    checkpoint = checkpoint_file.load(path)
    change(checkpoint)
    torch.save(checkpoint, path)


def edit_lottery(work, change=lambda rounds: None):
    """Change ``lottery.json``, and let it note the sizes that files have."""
    lottery = json.loads((work / paths.LOTTERY).read_text())
    change(lottery['rounds'])
    for entry in lottery['rounds']:
        for key in ('checkpoint', 'ticket'):
            if entry[key]:
                entry[f'{key}_bytes'] = (work / entry[key]).stat().st_size
    (work / paths.LOTTERY).write_text(json.dumps(lottery))


def other_final(work, other):
    shutil.copy(other / 'round_0/final.pth', work / 'round_0/final.pth')


def other_rewind(work, other):
    shutil.copy(other / 'round_0/rewind.pth', work / 'round_0/rewind.pth')


def other_weights(work, other):
    def scale(checkpoint):
        for tensor in checkpoint['state_dict'].values():
            if tensor.is_floating_point():
                tensor.mul_(-3)
    edit(work / 'round_1/final.pth', scale)


def other_masks(work, other):
    def move(checkpoint):
        mask = masks_of(checkpoint['mmlth'])
        mask[NAME] = mask[NAME].flatten().flip(0).view(mask[NAME].shape)
        checkpoint['state_dict'][NAME].masked_fill_(~mask[NAME], 0)
        digest = masks.digest(Ticket.load(work / 'round_1/ticket.safetensors').mask)
        checkpoint['mmlth'] = {**checkpoint_entry(mask), 'update': dict(
            done=5, ticket=digest, target=None)}
    edit(work / 'round_1/final.pth', move)


def named_checkpoint(work, other):
    edit_lottery(work, lambda rounds: rounds[1].update(checkpoint='round_1/iter_12.pth'))


def named_ticket(work, other):
    shutil.copy(work / 'round_1/ticket.safetensors', work / 'mine.safetensors')
    edit_lottery(work, lambda rounds: rounds[1].update(ticket='mine.safetensors'))


@pytest.mark.parametrize('damage, message', [
    (other_final, r'round_0/final\.pth is of a training with seed 8, lottery\.json has seed 3'),
    (other_rewind, r'round_0/rewind\.pth is of a training with seed 8'),
    (other_weights, r'round_1/final\.pth: .* is not that of .*/iter_12\.pth, which was'),
    (other_masks, r'round_1/final\.pth: .* \(mmlth\.update\), but the lottery has no update'),
    (named_checkpoint, r'checkpoint of round 1 is round_1/iter_12.pth, expected .*1/final.pth'),
    (named_ticket, r'ticket of round 1 is mine.safetensors, expected .*1/ticket.safe')])
def test_files_of_another_training(finished, work, damage, message):
    damage(work, finished / 'other')
    edit_lottery(work)
    with pytest.raises(Violation, match=message):
        verify(work)


def test_what_is_compared_is_told(finished, work):
    assert 'round_1/final.pth: its weights are those of iter_12.pth' in verify(work)
    (work / 'round_1/iter_12.pth').unlink()
    assert 'round_1/final.pth: not compared with the last checkpoint, which is not here' in (
        verify(work))


def test_a_round_is_known_from_within(work, monkeypatch):
    expected = verify(work / 'round_1')
    assert any('start weights are mask x round_0/rewind.pth' in line for line in expected)
    monkeypatch.chdir(work / 'round_1')
    assert verify('.') == verify(Path('..') / 'round_1') == expected


def test_the_average_of_a_hook_of_any_name_is_no_trained_weights(finished):
    line, = [line for line in verify(finished / 'averaged') if 'round_1/ticket' in line]
    assert 'mask not drawn again (the trained weights are not here)' in line
