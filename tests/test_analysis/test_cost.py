"""Cost: operations, iterations of chains, what early-bird saved."""
import pytest
from evaluated import evaluations, precision, write_run
from written import one, write_lottery

from mmlth.analysis.found.runs import read_run
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.analysis.sections.categories import difficulty_sections
from mmlth.analysis.sections.cost import network_cost_sections, training_cost_sections
from mmlth.analysis.sections.sizes import sizes_sections
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import write_json
from mmlth.engine.chain.state import read_json


def test_a_chain_costs_all_its_rounds(tmp_path):
    """Two seeds of different length of their dense training, 3 rounds of 100 iterations."""
    for seed, iterations in ((0, 100), (1, 60)):
        write_lottery(tmp_path / str(seed), {}, {}, rounds=3, seed=seed,
                      dense_iterations=iterations,
                      early_bird=dict(interval=5, stop=dict(iou=0.1, patience=1)))
    runs = [read_run(tmp_path / str(seed)) for seed in (0, 1)]
    section = one(training_cost_sections, runs)
    row, = section.rows
    assert row['iterations'] == (400 + 360) / 2 and row['images'] == 2 * 380
    assert row['dense_trainings'] == pytest.approx(3.8) and row['minutes'] == pytest.approx(4)
    assert row['saved_iterations'] == 20 and row['saved'] == pytest.approx(5)
    assert 'ended the dense training 20 iterations early' in section.text
    assert 'whatever else ran there' in section.text


def test_images_count_all_processes(tmp_path):
    folder = write_lottery(tmp_path / 'a', {}, {})
    lottery = read_json(folder / paths.LOTTERY)
    lottery['rounds'][1]['processes'] = 4       # of round 0 none are noted
    write_json(folder / paths.LOTTERY, lottery)
    row, = one(training_cost_sections, [read_run(folder)]).rows
    assert row['iterations'] == 200 and row['images'] == 2 * (100 + 4 * 100)


def test_a_resumed_schedule_costs_what_it_trained(tmp_path):
    write_lottery(tmp_path / 'a', {}, {}, rewind=dict(to='30it', schedule='resume'))
    row, = one(training_cost_sections, [read_run(tmp_path / 'a')]).rows
    assert row['iterations'] == 170 and row['saved_iterations'] == 0


def test_a_mask_drawn_before_the_training_saves_no_early_bird(tmp_path):
    write_lottery(tmp_path / 'a', {}, {}, dense_iterations=0, score='snip')
    row, = one(training_cost_sections, [read_run(tmp_path / 'a')]).rows
    assert row['iterations'] == 100 and row['saved_iterations'] == 0


def test_networks_dense_and_sparse(tmp_path):
    flops = dict(inputs=2, total=10e9, layers={'a': 6e9, 'b': 2e9})
    kinds = dict(bbox=precision(0.1))
    runs = [write_run(tmp_path / 'x', kinds, kinds, flops=flops,
                      layers=dict(a=(1000, 500), b=(3000, 3000)))]
    section = one(network_cost_sections, runs, evaluations(runs))
    row, = section.rows
    assert row['parameters'] == pytest.approx(0.008) and row['left'] == pytest.approx(0.0045)
    assert row['flops'] == pytest.approx(10) and row['flops_left'] == pytest.approx(5)
    assert row['flops_part'] == pytest.approx(50)
    assert row['checkpoint'] == pytest.approx(0.001) and row['ticket'] == pytest.approx(0.0001)
    assert 'no speed-up' in section.text and 'mean of 2 inputs' in section.text


def test_compute_sparsity_stands_beside_scope_and_network_sparsity(tmp_path):
    kinds = dict(bbox=precision(0.1, dict(small=0.1, medium=0.2, large=0.3).items(),
                                dict(a=0.1, b=0.2).items()))
    path = tmp_path / 'x' / paths.LOTTERY
    write_run(tmp_path / 'x', kinds, kinds, layers=dict(a=(1000, 500)))
    lottery = read_json(path)
    lottery['rounds'][1]['compute_sparsity'] = 0.55
    write_json(path, lottery)
    runs = [read_run(tmp_path / 'x')]
    for sections in (network_cost_sections, sizes_sections, difficulty_sections):
        found = sections(runs, evaluations(runs))
        for section in found:
            assert not section.columns or 'compute_sparsity' in section.columns
            assert {round(row['compute_sparsity'], 9) for row in section.rows} == {55}
        assert found


def test_a_ticket_that_was_not_evaluated_has_the_operations_of_its_model(tmp_path):
    flops, kinds = dict(inputs=2, total=10e9, layers={'a': 8e9}), dict(bbox=precision(0.1))
    runs = [write_run(tmp_path / 'x', kinds, kinds, flops=flops, layers=dict(a=(100, 50))),
            write_run(tmp_path / 'y', kinds, kinds, flops=flops, layers=dict(a=(100, 25)),
                      allocation='layerwise')]
    section = one(network_cost_sections, runs, evaluations(runs[:1]))
    assert {r['method']: r['flops_left'] for r in section.rows} == {
        'direct': pytest.approx(6), 'layerwise': pytest.approx(8)}


def test_without_evaluations_there_are_sizes(tmp_path):
    runs = [read_run(write_lottery(tmp_path / 'x', {}, {}, layers=dict(a=(1000, 500))))]
    found = Evaluations(say=print)
    section = one(network_cost_sections, runs, found)
    assert section.rows[0]['flops'] is None and section.rows[0]['left']
    with pytest.raises(UserError, match='sparsity.json'):
        one(network_cost_sections, [read_run(write_lottery(tmp_path / 'y', {}, {}))], found)
