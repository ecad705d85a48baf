"""Data sets that call something else ``dataset``: their name, a list of files."""
import pytest
from mmengine.registry import DATASETS
from toy import ToyDataset, lottery_config, run_lottery

from mmlth.analysis.found.labels import data_label
from mmlth.core import paths
from mmlth.engine.chain.data_check.parts import parts
from mmlth.engine.chain.data_paths import leaves

OTHERS = ['bccd', ['a.xml', 'b.xml'], dict(source='x')]


@DATASETS.register_module(force=True)
class CalledDataset(ToyDataset):
    def __init__(self, dataset=None, **kwargs):
        super().__init__(**kwargs)
        self.dataset = dataset


@pytest.mark.parametrize('other', OTHERS[:2], ids=str)
def test_a_lottery_of_it(tmp_path, other):
    cfg = lottery_config(tmp_path, val=False, latency=False)
    cfg.train_dataloader.dataset = dict(type='CalledDataset', dataset=other)
    run_lottery(cfg)
    assert (tmp_path / 'round_1' / paths.FINAL).is_file()


@pytest.mark.parametrize('other', OTHERS, ids=str)
def test_it_is_looked_at_itself(other):
    data = CalledDataset(other)
    assert list(parts(data)) == [data]
    assert list(parts(CalledDataset(data))) == [data]


def test_its_config_is_looked_at_itself():
    named = dict(type='CalledDataset', data_root='data/bccd', dataset='bccd', datasets=['a', 'b'])
    assert list(leaves(dict(type='RepeatDataset', dataset=named))) == [named]
    assert data_label(dict(train_dataloader=dict(dataset=named))) == 'bccd'
