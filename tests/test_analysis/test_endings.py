"""Whether dense models were trained to their end, and where a reader is told."""
import pytest
from written import MAP, one, write_lottery

from mmlth.analysis.compare.endings import endings
from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.curves import sparsity_sections
from mmlth.analysis.sections.endings import endings_sections
from mmlth.analysis.sections.overview import overview_section
from mmlth.analysis.sections.verdict import verdict_sections
from mmlth.core.errors import UserError
from mmlth.metrics import metric_of

DENSE = (.70, .72, .71)     # one sample standard deviation is 1 point


def write(root, values, dense=DENSE, metric=MAP, **config):
    for seed, (before, after) in enumerate(zip(dense, values)):
        folder = root / 'runs' / f'{len(list((root / "runs").glob("*")))}'
        write_lottery(folder, {metric: before}, {metric: after}, seed=seed, **config)


def write_on(root, values, rounds=1, **config):
    write(root, values, control='dense', scope=0.0, network=0.0, rounds=rounds, **config)


@pytest.mark.parametrize('values, metric, finished', [
    ((.705, .726, .716), MAP, True), ((.715, .74, .725), MAP, False),
    ((.60, .61, .60), MAP, True), ((.60, .61, .60), 'NME', False),
    ((.75, .76, .75), 'NME', True)])
def test_finished_is_a_gain_below_one_deviation(tmp_path, values, metric, finished):
    """Worse than before is no gain; of an error less is more."""
    write_on(tmp_path, values, metric=metric)
    row, = one(endings_sections, find_runs([tmp_path]).runs).rows
    assert row['finished'] is finished and row['n'] == 3 and row['test'] == 'paired'
    assert (row['iterations'], row['total']) == (100, 200)
    better = 1 if metric == MAP else -1
    assert row['gain'] == pytest.approx(better * 100 / 3 * (sum(values) - sum(DENSE)))


def test_the_number_stands_in_the_overview_and_below_tables(tmp_path):
    write_on(tmp_path, (.715, .74, .725))
    for sparsity in (0.5, 0.8):
        write(tmp_path, (.69, .70, .72), sparsity=sparsity, scope=sparsity)
    found = find_runs([tmp_path])
    line = ('Dense models, and what as many more iterations add to them: not trained to their '
            'end: Faster R-CNN R18, VOC, detection mAP (+1.67, 95 % interval +0.95 to +2.38; '
            'σ 1.00).')
    for text in (overview_section(found, [], {}, []).text, *(
            one(sections, found.runs).text for sections in (
                endings_sections, verdict_sections, sparsity_sections))):
        assert line in text


def test_the_shortest_training_that_is_long_enough_counts(tmp_path):
    """Resumed at a late rewinding point it is none; three rounds are more than asked for."""
    write_on(tmp_path, (.80, .81, .80), rounds=3)
    write_on(tmp_path, (.70, .72, .71), rewind=dict(to='50%', schedule='resume'))
    ending, = endings(group_runs(find_runs([tmp_path]).runs))
    assert ending.total == 400 and ending.finished is False
    write_on(tmp_path, (.702, .721, .711), rewind=dict(to='5%', schedule='resume'))
    ending, = endings(group_runs(find_runs([tmp_path]).runs))
    assert ending.total == 195 and ending.finished is True


def test_without_such_a_run_or_with_one_seed_it_is_not_known(tmp_path):
    write(tmp_path, (.69, .70, .72))
    found = find_runs([tmp_path])
    with pytest.raises(UserError, match='is not measured. Add runs with control='):
        endings_sections(found.runs, None)
    assert 'add to them: not measured.' in overview_section(found, [], {}, []).text
    single = tmp_path / 'single'
    write_on(single, (.75,))
    row, = one(endings_sections, find_runs([single]).runs).rows
    assert row['finished'] is None and row['gain'] == pytest.approx(5)
    assert ('not known with one seed: Faster R-CNN R18, VOC, detection mAP (+5.00; σ unknown: one '
            'seed)') in overview_section(find_runs([single]), [], {}, []).text


def test_average_precision_at_50_has_an_end_of_its_own(tmp_path):
    at_50 = metric_of(MAP).at_50
    for seed, (before, after) in enumerate(zip(DENSE, (.73, .75, .74))):
        write_lottery(tmp_path / 'runs' / str(seed), {MAP: before, at_50: before + .1},
                      {MAP: after, at_50: before + .101}, seed=seed, control='dense', scope=0.0,
                      network=0.0)
    found = endings(group_runs(find_runs([tmp_path]).runs))
    assert [(ending.metric.name, ending.finished) for ending in found] == [
        (MAP, False), (at_50, True)]
    assert [row['label'] for row in one(endings_sections, find_runs([tmp_path]).runs).rows] == [
        'mAP', 'AP50']
    assert ('add to them: trained to their end: Faster R-CNN R18, VOC, detection AP50 (+0.10; σ '
            '1.00). Not trained to their end: Faster R-CNN R18, VOC, detection mAP (+3.00; σ 1.00).'
            ) in overview_section(find_runs([tmp_path]), [], {}, []).text


def test_an_average_precision_at_50_that_is_the_metric_itself_is_told_once(tmp_path):
    """VOC's; AP50 is written with three digits."""
    at_50 = metric_of(MAP).at_50
    for seed, (before, after) in enumerate(zip(DENSE, (.7304, .75, .74))):
        write_lottery(tmp_path / 'runs' / str(seed), {MAP: before, at_50: before},
                      {MAP: after, at_50: round(after, 3)}, seed=seed, control='dense', scope=0.0,
                      network=0.0)
    ending, = endings(group_runs(find_runs([tmp_path]).runs))
    assert ending.metric.name == MAP


@pytest.mark.parametrize('values, dense, metric, answer, told', [
    ((.701, .722, .711), DENSE, MAP, 'yes', 'trained to their end: '),
    ((.70, .74, .711), DENSE, MAP, 'yes (mean gain below σ; the interval reaches +3.50)',
     'trained to their end by the mean, though the interval reaches σ or more: '),
    ((.70, .70, .711), DENSE, 'NME', 'yes (mean gain below σ; the interval reaches -3.58)',
     'trained to their end by the mean, though the interval reaches σ or more: '),
    ((.71, .72, .715), (.70, .70, .70), MAP, 'not known without spread',
     'not known without spread: '),
    ((.71,), DENSE[:1], MAP, 'not known with one seed', 'not known with one seed: '),
    ((.71, .74, .70), DENSE, 'own/depth', 'not known without knowing what is better',
     'not known without knowing what is better: '),
    ((.72, .739, .729), DENSE, MAP, 'no', 'not trained to their end: ')])
def test_what_the_interval_allows_is_said(tmp_path, values, dense, metric, answer, told):
    write_on(tmp_path, values, dense=dense, metric=metric)
    section = one(endings_sections, find_runs([tmp_path]).runs)
    row, = section.rows
    assert row['answer'] == answer and 'answer' in section.columns
    assert row['finished'] is (None if answer.startswith('not') else answer != 'no')
    assert section.text.startswith(
        f'Dense models, and what as many more iterations add to them: {told}')
