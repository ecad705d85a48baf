"""From real toy lotteries to a report."""
import csv
import re
import runpy
import sys
from pathlib import Path

import pytest
from toy import lottery_config
from written import MAP, write_lottery

from mmlth.analysis import analyze
from mmlth.analysis.analyze import analyses, run_analyses
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.analysis.sections.overview import overview_section
from mmlth.core.errors import UserError
from mmlth.engine import LotteryRunner
from mmlth.report.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    'half': dict(sparsity=0.5), 'most': dict(), 'rewound': dict(to='8it'),
    'rounds': dict(rounds=2), 'layerwise': {'default_hooks.prune.allocation': 'layerwise'},
    'control': {'default_hooks.prune.control': 'random_mask'},
    'head': {'default_hooks.prune.scope': ['head']},
    'early': {'default_hooks.early_bird': dict(
        type='mmlth.EarlyBirdHook', interval=2, stop=dict(iou=0.1, patience=1))},
    'watched': {'default_hooks.early_bird': dict(type='mmlth.EarlyBirdHook', interval=4)}}


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    """Every kind of lottery, some with two seeds."""
    root = tmp_path_factory.mktemp('study')
    for name, seed in [*((name, 0) for name in SETTINGS), ('half', 1), ('most', 1),
                       ('control', 1)]:
        cfg = lottery_config(root / 'runs' / f'{name}_{seed}', **SETTINGS[name])
        cfg.randomness.seed, cfg.experiment_name = seed, f'{name}_{seed}'
        LotteryRunner(cfg).train()
    return root


@pytest.fixture(scope='module')
def report(study, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    assert analyze([study], out, title='Toys') == out / 'report.html'
    return out


def test_the_report_has_every_analysis_that_applies(report):
    text = (report / 'report.md').read_text()
    assert text.startswith('# Toys')
    titles = [line[3:].split(' (')[0] for line in text.splitlines() if line.startswith('## ')]
    assert titles[:10] == [
        'Overview', 'Which tickets win', 'Tickets against their controls',
        'Performance against sparsity', 'Rewinding point', 'Sparsity of each layer',
        'Rounds of pruning', 'Layerwise against global pruning', 'Masks drawn early',
        'Pruning different modules']
    assert (report / 'report.html').stat().st_size > 10_000
    # An EarlyBirdHook that only looks on makes no other lottery.
    assert re.search(r'most\\?_0 \(the same lottery as', text)


def test_the_tables_hold_what_the_lotteries_hold(study, report):
    found = find_runs([study])
    rows = list(csv.DictReader((report / 'tables' / 'verdict.csv').open()))
    control = next(row for row in rows if row['method'] == 'control: random mask')
    runs = [r for r in found.runs if r.settings['control'] == 'random_mask']
    mean = sum(r.ticket.metrics['toy/AP'] for r in runs) / 2
    assert float(control['ticket_mean']) == pytest.approx(mean)
    assert control['n'] == '2' and control['rule'] in ('yes', 'no')
    overview = list(csv.DictReader((report / 'tables' / 'overview.csv').open()))
    assert sum(int(row['runs']) for row in overview) == len(found.runs) == 11


def test_what_early_masks_agree_in_is_in_the_figure(study, report):
    name, = (report / 'data').glob('early-bird-*.csv')
    rows = list(csv.DictReader(name.open()))
    assert {r['axis'] for r in rows} == {'left', 'right', 'reference'}
    final = [r for r in rows if r['label'] == 'IoU with the final mask'][-1]
    assert float(final['x']) == 12 and float(final['y']) == 1      # the last candidate


def test_a_report_is_not_written_over_by_an_error(study, report, tmp_path):
    before = (report / 'report.md').read_text()
    with pytest.raises(UserError, match='no such folder'):
        analyze([study, tmp_path / 'gone'], report)
    assert (report / 'report.md').read_text() == before


@pytest.mark.parametrize('dense, ticket', [
    ({}, {}), ({MAP: 0.0}, {MAP: 0.0}), ({MAP: float('nan')}, {MAP: 0.5}), ({MAP: 0.5}, {})])
def test_no_analysis_crashes_on_what_was_not_measured(tmp_path, dense, ticket):
    for seed in (0, 1):
        for sparsity in (0.5, 0.8):
            write_lottery(tmp_path / 'runs' / f'{seed}_{sparsity}', dense, ticket, seed=seed,
                          sparsity=sparsity, scope=sparsity)
    guard = Guard()
    sections = run_analyses(find_runs([tmp_path]).runs, Evaluations(), guard)
    assert len(sections) + len(guard.skipped) == len(analyses()) and guard.failed == {}


def test_the_overview_says_what_is_missing(tmp_path):
    write_lottery(tmp_path / 'runs' / 'a', {MAP: .7}, {MAP: .7})
    write_lottery(tmp_path / 'runs' / 'b', {MAP: .7}, {}, seed=1, done=False)
    found = find_runs([tmp_path])
    guard = Guard()
    sections = run_analyses(found.runs, Evaluations(), guard)
    text = overview_section(found, sections, guard.skipped, ['A remark.']).text
    assert text.startswith(
        '1 finished lottery of 1 dense model (Faster R-CNN R18, VOC), 1 seed (0)')
    assert 'No verdict is possible' in text and text.endswith('\n\nA remark.')
    assert '/b (not finished: round 1 of 1 is to be done)' in text
    assert 'rounds (no two lotteries differ in their rounds of pruning alone)' in text


def test_the_tool_prints_one_line_for_a_bad_folder(tmp_path, monkeypatch):
    tool = str(ROOT / 'tools' / 'analyze.py')
    monkeypatch.setattr(sys, 'argv', [tool, str(tmp_path), '-o', str(tmp_path / 'out')])
    with pytest.raises(SystemExit, match='Error: .* is no work dir of a lottery or a study'):
        runpy.run_path(tool, run_name='__main__')
    assert not (tmp_path / 'out').exists()
