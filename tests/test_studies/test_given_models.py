"""A study whose lotteries are given their dense models."""
from mmengine.runner import Runner
from toy import toy_config
from toy_study import write_base, write_study

from mmlth.engine.chain.state import read_lottery
from mmlth.studies import load_study
from mmlth.studies.one import run_one
from mmlth.studies.results import collect
from mmlth.studies.run import check


def test_each_run_is_compared_with_its_own(tmp_path):
    """The same training by its config, two models by their files: nothing is shared or mixed."""
    Runner.from_cfg(toy_config(tmp_path / 'stock', by_epoch=True, iters=40)).train()
    write_base(tmp_path, by_epoch=True, iters=4)
    files = [str(tmp_path / 'stock' / f'epoch_{epoch}.pth') for epoch in (1, 10)]
    study = load_study(str(write_study(tmp_path, dict(a=dict(dense=files, mode=['lr'])))))
    check(study, tmp_path)
    for run in study.runs:
        assert not run.spec.shares_dense
        run_one(study, tmp_path, run.name)
    rows = collect(study, tmp_path)
    for row in rows:
        first = read_lottery(tmp_path / 'runs' / row['run'] / 'lottery.json')['rounds'][0]
        assert first['given']['dense']['file'] == row['settings']['dense']
        assert row['dense'] == first['metrics']['toy/AP']
        assert row['chain'] == first['given']['dense']['iterations'] + 4
    assert rows[0]['dense'] != rows[1]['dense'] and [row['chain'] for row in rows] == [8, 44]
