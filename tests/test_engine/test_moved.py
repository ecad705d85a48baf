"""A folder of lotteries that was moved, one of which starts from another."""
from pathlib import Path

import pytest
from toy import lottery_config, run_lottery
from toy_ticket import make_ticket

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.moved import follow


def transferred(root, source='first'):
    cfg = lottery_config(root / 'second', to='0it', latency=False)
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', dense=False, transfer=dict(
        source=str(root / source / 'round_1' / paths.TICKET), mapping='same'))
    return cfg


@pytest.fixture
def root(tmp_path):
    """Holds a lottery whose ticket can be transferred."""
    (tmp_path / 'before/first/round_1').mkdir(parents=True)
    make_ticket(tmp_path / 'before/first/round_1' / paths.TICKET)
    (tmp_path / 'before/first' / paths.LOTTERY).write_text('{}')
    return tmp_path / 'before'


def test_a_transfer_goes_on_where_its_source_was_moved_with_it(root):
    """The place of the source was taken for another source."""
    run_lottery(transferred(root))
    final, now = Path('second/round_1', paths.FINAL), root.with_name('now')
    (root / final).unlink()
    root.rename(now)
    run_lottery(transferred(now), resume=True)
    assert (now / final).is_file()
    with pytest.raises(UserError, match='prune.transfer.source was '):
        run_lottery(transferred(now, 'third'), resume=True)


def test_what_is_no_lottery_stays(root):
    """Data beside it, of the same name, may be others."""
    config = dict(work_dir='/old/second', data=dict(data_root='/old/data/'), other=['/old/', '/x'],
                  source=['/old/first/round_1/final.pth', 3], point='/older/first/x.pth')
    assert follow(config, root / 'second') == {
        **config, 'source': [str(root / 'first/round_1/final.pth'), 3]}
    assert follow(config, Path('/old/second')) == config
