"""Averages that hooks of one's own make: a copy in any form, weights that are set at the end."""
import copy
import os
import re

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from toy import lottery_config, run_lottery
from toy_ticket import make_ticket, ticket_config
from torch import nn
from torch.optim.swa_utils import AveragedModel

from mmlth.core import checkpoint_file, paths
from mmlth.engine.checkpoints import masks_of
from mmlth.engine.runners import ema_copies
from mmlth.engine.verify import Violation, verify

FORMS = {'plain': copy.deepcopy, 'of torch': AveragedModel, 'a part': lambda model: model.head,
         'none': lambda model: None, 'a name': lambda model: 'mean'}


@HOOKS.register_module(force=True)
class OwnAverage(Hook):
    """Keeps an average under mmengine's name for it, in a form of its own."""
    ema_model = None

    def __init__(self, form):
        self.form = form

    def before_run(self, runner):
        self.ema_model = FORMS[self.form](runner.model)


@pytest.mark.parametrize('form', FORMS)
def test_a_copy_in_any_form_is_masked(tmp_path, form):
    """WatchZeros looks at the copies after every iteration."""
    ticket = make_ticket(tmp_path / 'ticket.safetensors')
    runner = Runner.from_cfg(ticket_config(
        tmp_path, iters=2, val=False, custom_hooks=[dict(type='OwnAverage', form=form)]))
    runner.train()
    copies = ema_copies(runner)
    assert len(copies) == (form in ('plain', 'of torch'))
    for model in copies:
        assert isinstance(model, nn.Module) and model is not runner.model
        for name, keep in ticket.mask.items():
            start = ticket.state[name].masked_fill(~keep, 0)
            assert torch.equal(dict(model.named_parameters())[name], start)


@HOOKS.register_module(force=True)
class MeanOfAll(Hook):
    """Stochastic weight averaging: at the end, the mean of the weights of all iterations."""

    def before_train(self, runner):
        self.sums = [torch.zeros_like(param) for param in runner.model.parameters()]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        for total, param in zip(self.sums, runner.model.parameters()):
            total += param.detach()

    def after_train(self, runner):
        for total, param in zip(self.sums, runner.model.parameters()):
            param.data.copy_(total / runner.iter)


@HOOKS.register_module(force=True)
class DenseAtTheEnd(Hook):
    """Leaves no weight 0."""

    def after_train(self, runner):
        for param in runner.model.parameters():
            param.data.add_(1)


GRADUAL = dict(prune=dict(update=dict(type='gradual', interval=2)))


@pytest.mark.parametrize('hook, options, revived', [
    ('MeanOfAll', dict(to='0it', default_hooks=GRADUAL), 339), ('DenseAtTheEnd', {}, 339),
    ('MeanOfAll', dict(default_hooks=dict(rewind=dict(mode='lr'))), 0)],
    ids=['gradual', 'static', 'nothing revived'])
def test_weights_that_are_set_at_the_end_are_masked(tmp_path, hook, options, revived):
    run_lottery(lottery_config(
        tmp_path, latency=False, custom_hooks=[dict(type=hook)], **options))
    final = checkpoint_file.load(tmp_path / 'round_1' / paths.FINAL)
    for name, keep in masks_of(final['mmlth']).items():
        assert not final['state_dict'][name][~keep].any(), name
    log = ''.join(path.read_text() for path in (tmp_path / 'round_1').glob('*/*.log'))
    warned = re.findall(r'([\d,]+) pruned ones of [123] parameter', log)
    assert warned == ([str(revived)] if revived else [])
    check_verified(tmp_path, drawn=not options.get('to'))


def check_verified(work_dir, drawn):
    """A sound lottery is verified: by ``final.pth``, which alone has the weights of the end."""
    lines = verify(work_dir)
    for r in (0, 1):
        assert (f'round_{r}/final.pth: not compared with iter_12.pth: a hook has set its weights '
                'behind that') in lines
    ticket, = [line for line in lines if line.startswith('round_1/ticket.safetensors')]
    assert not drawn or 'mask drawn again of round_0/final.pth' in ticket


def test_what_is_drawn_of_weights_that_were_set_is_still_looked_at(tmp_path):
    run_lottery(lottery_config(tmp_path, latency=False, custom_hooks=[dict(type='MeanOfAll')]))
    final = checkpoint_file.load(tmp_path / 'round_0' / paths.FINAL)
    final['state_dict']['backbone.3.weight'].view(-1)[:9] *= -1e3
    torch.save(final, tmp_path / 'round_0' / paths.FINAL)
    with pytest.raises(Violation, match='ticket.safetensors was not drawn of .*round_0/final.pth'):
        verify(tmp_path / 'round_1' / paths.TICKET)


def test_a_training_that_is_resumed_at_its_end_knows_what_was_saved(tmp_path):
    """It was killed between its last checkpoint and the hooks of its end."""
    cfg = lottery_config(tmp_path, latency=False, custom_hooks=[dict(type='MeanOfAll')])
    run_lottery(cfg)
    (tmp_path / 'round_1' / paths.FINAL).unlink()
    os.link(tmp_path / 'round_1' / 'iter_12.pth', tmp_path / 'round_1' / paths.RESUME)
    run_lottery(cfg, resume=True)
    verify(tmp_path)
    meta = checkpoint_file.load(tmp_path / 'round_1' / paths.FINAL)['meta']
    assert meta['set_at_end']
