"""mAP against the latency that lotteries have noted."""
import json

import pytest
from written import MAP, one, write_lottery

from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.latency import latency_sections
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.state import read_lottery


def noted(folder, **latency):
    path = folder / paths.LOTTERY
    lottery = json.loads(path.read_text())
    lottery['rounds'][1].update(latency=latency, compute_sparsity=0.5)
    path.write_text(json.dumps(lottery))


def test_a_point_a_ticket(tmp_path):
    for seed, milliseconds in ((0, 40.0), (1, 60.0)):
        for scope, faster in ((0.8, 0.0), (0.9, 20.0)):
            folder = write_lottery(tmp_path / f'{seed}_{scope}', {MAP: 0.6}, {MAP: 0.5 + seed / 10},
                                   scope=scope, seed=seed, sparsity=scope)
            noted(folder, dense_ms=100.0, sparse_ms=milliseconds - faster, speedup=2.0)
    write_lottery(tmp_path / 'older', {MAP: 0.6}, {MAP: 0.5}, scope=0.95, sparsity=0.95)
    section = one(latency_sections, find_runs(sorted(tmp_path.iterdir())).runs)
    series, = section.figures[0].series
    assert series.x == [30, 50] and series.y == pytest.approx([55, 55])
    assert [r['dense_ms'] for r in section.rows] == [100, 100]
    assert {r['compute_sparsity'] for r in section.rows} == {50}


def test_without_any_there_is_no_figure(tmp_path):
    folder = write_lottery(tmp_path / 'a', {MAP: 0.6}, {MAP: 0.5})
    with pytest.raises(UserError, match='no lottery has measured the latency'):
        one(latency_sections, find_runs(sorted(tmp_path.iterdir())).runs)
    noted(folder, dense_ms=100.0, sparse_ms=0, speedup=2.0)
    with pytest.raises(UserError, match=r'rounds\[1\].latency: expected an object with dense_ms'):
        read_lottery(folder / paths.LOTTERY)
