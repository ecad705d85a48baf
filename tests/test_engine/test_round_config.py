"""What a lottery makes of a config, and what it refuses of one."""
import pytest
from mmengine.config import Config
from toy import lottery_config, run_lottery

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.amp import keep_amp
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.preflight import check_settings
from mmlth.engine.chain.rounds import round_config
from mmlth.engine.hook_configs import hooks_of
from mmlth.engine.hooks import RandomStateHook


@pytest.mark.parametrize('name', ['random_state', 'gradients', 'unsaved', 'ticket'])
def test_a_default_hook_with_the_name_of_one_of_ours_is_refused(tmp_path, name):
    cfg = lottery_config(tmp_path, default_hooks={name: dict(type='SyncBuffersHook')})
    with pytest.raises(UserError, match=f'default_hooks.{name} is the name'):
        check_settings(cfg)


def test_our_own_hooks_are_there_once(tmp_path):
    """Two of them would leave the state of a validation behind."""
    own = dict(type='mmlth.RandomStateHook')
    cfg = lottery_config(tmp_path, default_hooks=dict(random_state=own), custom_hooks=[own])
    check_settings(cfg)
    made = round_config(cfg, LotterySpec.of(cfg), tmp_path, 1, 3)
    assert hooks_of(made, RandomStateHook) == [made.default_hooks.random_state]


@pytest.mark.parametrize('update', [None, dict(type='set', interval=2)])
def test_a_config_without_default_hooks(tmp_path, update):
    content = lottery_config(tmp_path, latency=False).to_dict()
    del content['default_hooks']
    content['custom_hooks'] = [dict(type='mmlth.PruneHook', sparsity=0.5, update=update),
                               dict(type='mmlth.RewindHook')]
    run_lottery(Config(content))
    assert (tmp_path / 'round_1' / paths.FINAL).is_file()


@pytest.mark.parametrize('amp', [{}, dict(loss_scale='dynamic')])
def test_the_scope_of_an_optim_wrapper_counts(tmp_path, amp):
    cfg = lottery_config(tmp_path, latency=False, default_hooks=dict(rewind=dict(to='0it')))
    cfg.optim_wrapper.update(type='MaskedOptimWrapper', _scope_='mmlth', **amp)
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', _scope_='mmengine')
    keep_amp(cfg)
    assert ('Amp' in cfg.optim_wrapper.type) == bool(amp)
    check_settings(cfg)
    if not amp:
        run_lottery(cfg)


def test_nothing_would_be_left_to_train(tmp_path):
    cfg = lottery_config(tmp_path, to='100%', schedule='resume')
    with pytest.raises(UserError, match='iteration 12, the end of the training: nothing is left'):
        run_lottery(cfg)
    assert not list(tmp_path.glob('round_0/*.pth'))
