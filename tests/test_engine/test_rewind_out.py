"""Where the rewind point is: what one hook calls it, the other finds."""
import pytest
from mmengine.runner import Runner
from toy import lottery_config, run_lottery, toy_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.verify import Violation, verify


def test_in_a_lottery_the_place_is_the_chains(tmp_path):
    rewind = dict(out='point.pth')
    run_lottery(lottery_config(tmp_path, default_hooks=dict(rewind=rewind), latency=False))
    assert (tmp_path / 'round_0' / paths.REWIND).is_file()
    assert (tmp_path / 'round_1' / paths.FINAL).is_file()


def stock(work_dir, **prune):
    return toy_config(work_dir, val=False, default_hooks=dict(
        rewind=dict(type='mmlth.RewindHook', to='4it', out='point.pth'),
        prune=dict(type='mmlth.PruneHook', **prune)))


def test_under_a_stock_runner_the_prune_hook_takes_the_others_name(tmp_path):
    Runner.from_cfg(stock(tmp_path)).train()
    point = checkpoint_file.load(tmp_path / 'point.pth')
    assert point['meta']['iter'] == 4
    path = tmp_path / paths.NEXT_TICKET
    ticket = Ticket.load(path)
    assert ticket.state['head.bias'].equal(point['state_dict']['head.bias'])
    assert 'start weights are mask x' in verify(path)[0] and 'point.pth' in verify(path)[0]
    ticket.state['head.bias'][0] += 1
    path.unlink()
    ticket.save(path)
    with pytest.raises(Violation, match='head.bias are not mask x .*point.pth'):
        verify(path)


def test_a_point_that_nobody_saves_is_told_before_the_training(tmp_path):
    with pytest.raises(UserError, match='there is no rewind point .*elsewhere.pth'):
        Runner.from_cfg(stock(tmp_path, rewind=str(tmp_path / 'elsewhere.pth'))).train()
    assert not list(tmp_path.glob('iter_*.pth'))
