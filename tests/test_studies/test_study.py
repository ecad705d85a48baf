"""Studies: how they expand, what they share, and how they are described."""
import json

import pytest
from scipy import stats
from toy_study import write_base, write_study

from mmlth.analysis.compare.wording import settings_text
from mmlth.core.errors import UserError
from mmlth.studies import load_study
from mmlth.studies.dense import dense_name, find
from mmlth.studies.description import write_description
from mmlth.studies.means import summarise, to_markdown
from mmlth.studies.one import dense_points
from mmlth.studies.settings import read_setting


def load(*args, **kwargs):
    return load_study(str(write_study(*args, **kwargs)))


def test_axes_expand_to_combinations(tmp_path):
    study = load(tmp_path, dict(
        a=dict(sparsity=[0.8, 0.9], allocation=['global', 'layerwise']),
        b=dict(to=['4it', '0it'])), seeds=[0, 1])
    # The base's own settings belong to both parts and are run once.
    assert len(study.runs) == 2 * (4 + 2) - 2
    shared = [run for run in study.runs if set(run.parts) == {'a', 'b'}]
    assert len(shared) == 2 and shared[0].parts == dict(
        a=dict(sparsity=0.8, allocation='global', seed=0), b=dict(to='4it', seed=0))
    assert [run.seed for run in study.runs] == [0] * 5 + [1] * 5
    names = [run.name for run in study.runs]
    assert len(set(names)) == 10
    run = next(run for run in study.runs if 'layerwise' in run.name and '0.9' in run.name)
    assert run.cfg.default_hooks.prune.allocation == 'layerwise'
    assert run.cfg.default_hooks.prune.sparsity == 0.9 and run.cfg.randomness.seed == 0


def test_names_depend_on_what_differs_alone(tmp_path):
    first = load(tmp_path, dict(a=dict(sparsity=[0.9])))
    # A new option with the base's value, and the order of axes, change no name.
    later = load(tmp_path, dict(other=dict(rounds=[1], sparsity=[0.9])))
    assert [r.name for r in first.runs] == [r.name for r in later.runs]
    assert first.runs[0].name.startswith('base_seed-0_sparsity-0.9_')
    # What differs otherwise does: studies share one folder of runs.
    write_base(tmp_path, 'other')
    names = {load(tmp_path, dict(a=dict(sparsity=[0.9])), **spec).runs[0].name for spec in (
        {}, dict(base='other.py'), dict(cfg_options={'optim_wrapper.optimizer.lr': 0.2}),
        dict(cfg_options={'optim_wrapper.optimizer.lr': 0.3}))}
    assert len(names) == 4


def test_a_name_fits_a_file_system(tmp_path):
    """It has at most 255 bytes there, whatever it is written in."""
    words = ['刈' * 200, '刈' * 199, '𝔸' * 80, 'a' * 300]
    study = load(tmp_path, dict(a={'model.note': words}))
    for run in study.runs:
        (tmp_path / 'runs' / run.name).mkdir(parents=True)
    assert [len(run.name) for run in study.runs] == [97, 97, 78, 109]


def test_several_bases_and_metrics(tmp_path):
    write_base(tmp_path, 'other', iters=8)
    study = load(tmp_path, dict(a=dict(base=['base.py', 'other.py'], sparsity=[0.5])),
                 metric=dict(base=['toy/AP', 'toy/loss'], other='toy/AP'))
    one, other = study.runs
    assert (one.base, one.metrics) == ('base', ['toy/AP', 'toy/loss'])
    assert (other.base, other.metrics) == ('other', ['toy/AP'])
    assert other.cfg.train_cfg.max_iters == 8 and other.cfg.default_hooks.prune.sparsity == 0.5
    assert other.parts['a'] == dict(base='other', sparsity=0.5, seed=0)
    assert one.name.startswith('base_') and other.name.startswith('other_')


@pytest.mark.parametrize('spec', [
    dict(axes=dict(a=dict(base=['voc/model.py', 'coco/model.py']))),
    dict(axes=dict(a=dict(base=['voc/model.py']), b=dict(base=['coco/model.py']))),
    dict(axes=dict(a=dict(load_from=['{x}/round_0/final.pth'])), base='coco/model.py',
         sources=dict(x=dict(base='voc/model.py')))])
def test_two_bases_of_one_name(tmp_path, spec):
    """They came to one run, of the first."""
    for folder, iters in dict(voc=12, coco=8).items():
        (tmp_path / folder).mkdir()
        write_base(tmp_path / folder, 'model', iters=iters)
    with pytest.raises(UserError, match='two bases are called model: .*voc/model.* rename one'):
        load(tmp_path, **spec)
    same = load(tmp_path, dict(a=dict(base=['voc/model.py']), b=dict(base=['./voc/model.py'])))
    assert len(same.runs) == 1


def sourced(folder, **spec):
    axes = dict(direct=dict(sparsity=[0.8, 0.9]),
                moved={'load_from': ['{first}/round_1/final.pth', '{second}/round_1/final.pth']})
    sources = dict(first=dict(base='base.py', sparsity=0.9), second=dict(base='other.py'))
    write_base(folder, 'other')
    return load(folder, axes, seeds=[0, 1], **{'sources': sources, **spec})


def test_sources_are_runs_of_the_same_seed(tmp_path):
    study = sourced(tmp_path)
    assert len(study.runs) == 8
    # The first source is a run of the study itself; the second comes on top.
    assert len(study.all_runs) == 8 + 2
    order = [run.name for run in study.all_runs]
    for run in study.runs:
        for name, source in run.sources.items():
            assert order.index(source.name) < order.index(run.name)
            assert source.seed == run.seed
            assert run.located(tmp_path).load_from == str(
                tmp_path / 'runs' / source.name / 'round_1/final.pth')
    one, = {s.name for run in study.runs if run.seed == 0 for n, s in run.sources.items()
            if n == 'first'}
    assert next(r for r in study.runs if r.name == one).parts['direct']['sparsity'] == 0.9


def test_one_source_may_serve_all_seeds(tmp_path):
    study = sourced(tmp_path, sources=dict(first=dict(base='base.py', sparsity=0.9),
                                           second=dict(base='other.py', seed=5)))
    assert {run.sources['second'].seed for run in study.runs if 'second' in run.sources} == {5}
    assert len(study.all_runs) == 8 + 1


def test_a_run_is_named_after_what_its_source_is(tmp_path):
    moved = [r.name for r in sourced(tmp_path).runs if r.sources]
    renamed = load(tmp_path, dict(moved={'load_from': ['{x}/round_1/final.pth']}), seeds=[0],
                   sources=dict(x=dict(base='base.py', sparsity=0.9)))
    changed = load(tmp_path, dict(moved={'load_from': ['{x}/round_1/final.pth']}), seeds=[0],
                   sources=dict(x=dict(base='base.py', sparsity=0.7)))
    assert renamed.runs[0].name in moved and changed.runs[0].name not in moved
    assert dense_name(renamed.runs[0].cfg) != dense_name(changed.runs[0].cfg)


@pytest.mark.parametrize('change, message', [
    (dict(axes=dict(a=dict(sparsity=0.9))), 'expected a list'),
    (dict(axes=dict(a=dict(sparsity=[]))), 'expected a list'),
    (dict(axis=1), "unknown: .'axis'."),
    (dict(axes=dict(a=dict(load_from=['{x}/final.pth']))), "source 'x', which the study"),
    (dict(axes=dict(a=dict(load_from=['{x}/final.pth'])), sources=dict(x=dict(rounds=2))),
     'sources.x: it has no base'),
    (dict(name='runs'), "cannot be called 'runs'"),
    # Two names of one training.
    (dict(axes=dict(a=dict(sparsty=[0.5, 0.9]))), "no setting 'sparsty'.* Is it 'sparsity'"),
    (dict(axes=dict(a={'optim_wraper.optimizer.lr': [0.1]})),
     "'optim_wraper' is no key of the config.* Is it 'optim_wrapper'"),
    (dict(axes=dict(a=dict(length_of_it=[3]))), "'length_of_it' is a variable of the config file"),
    (dict(cfg_options={'optim_wraper.optimizer.lr': 0.1}), "Is it 'optim_wrapper'"),
    (dict(cfg_options={'sparsity': 0.9}), "'sparsity' is no key of the config$"),
    (dict(axes=dict(a=dict(load_from=['{x}/final.pth'])),
          sources=dict(x=dict(base='base.py', round=2))), "no setting 'round'"),
    (dict(axes=dict(a={'train_cfg.max_iters.x': [1]})), "max_iters is 12, which has no 'x'"),
    (dict(axes=dict(a={'param_scheduler.9.gamma': [1]})), "is a list of 1, which has no '9'"),
    (dict(cfg_options={'param_scheduler.end': 1}), "is a list of 1, which has no 'end'"),
    (dict(axes=dict(a={'train_cfg.max_iters': [dict(x=1)]})), 'is 12 and cannot become'),
    (dict(axes=dict(a=dict(sparsity=[0.8, 0.8]))), 'axes.a: .sparsity 0.8, seed 0. and .* one run'),
    (dict(seeds=[0, 0]), 'are one run: leave one of them out'),
    (dict(metric=dict(bsae='toy/AP')), "metric: 'bsae' is none of the bases, .* Is it 'base'"),
    (dict(rewind_points=dict(bas=['6it'])), "rewind_points: 'bas' is none of the bases, base, nor"),
    (dict(metric=dict(other='toy/AP')), 'metric: there is none of the base base, so'),
    (dict(metric=[]), 'metric: there is none of the base base'),
    (dict(base=['base.py']), 'expected the name of a config file, got'),
])
def test_mistakes(tmp_path, change, message):
    spec = dict(axes=dict(a=dict(sparsity=[0.9])))
    spec.update(change)
    for name in ('base', 'other'):
        write_base(tmp_path, name, length_of_it=12)
    with pytest.raises(UserError, match=message):
        load(tmp_path, **spec)


@pytest.mark.parametrize('key, value', [
    ('auto_scale_lr', dict(enable=True, base_batch_size=6)), ('auto_scale_lr.enable', True),
    ('model_wrapper_cfg.type', 'MMDistributedDataParallel'), ('model.neck.width', 4),
    ('default_hooks.ema', dict(type='EMAHook')), ('custom_hooks', [dict(type='EMAHook')]),
    ('optim_wrapper.clip_grad', dict(max_norm=35)), ('param_scheduler.0.end', 3),
    ('resume', True)])
def test_what_a_base_may_lack(tmp_path, key, value):
    """Hooks, parts and settings that are new to it, also in the place of a None."""
    write_base(tmp_path, optim_wrapper=dict(clip_grad=None))
    run, = load(tmp_path, dict(a={key: [value]})).runs
    assert read_setting(run.cfg, key) == value and key.split('.')[-1] in run.name


def test_what_shares_a_dense_training(tmp_path):
    study = load(tmp_path, dict(
        a=dict(sparsity=[0.8, 0.9], to=['0it', '4it']),
        b={'optim_wrapper.optimizer.lr': [0.2]}, c=dict(score=['snip'])))
    runs = {run.name: run for run in study.runs}
    names = {dense_name(run.cfg) for run in runs.values() if 'lr' not in run.name}
    assert len(names) == 1      # sparsity, rewind point and score do not touch round 0
    assert len({dense_name(run.cfg) for run in runs.values()}) == 2
    assert [run.spec.shares_dense for name, run in runs.items() if 'snip' in name] == [False]
    assert dense_points(study, study.runs[0]) == ['0it', '4it']


def test_an_axis_of_mask_updates(tmp_path):
    """Gradual pruning begins with all weights, so that it shares the dense training."""
    when = dict(interval=2, end='10it')
    study = load(tmp_path, dict(a=dict(update=[
        None, 'rigl', dict(type='gradual', **when), dict(type='set', **when)])))
    assert len({run.name for run in study.runs}) == 4
    assert len({dense_name(run.cfg) for run in study.runs}) == 1
    kinds = [type(run.spec.prune.update).__name__ for run in study.runs]
    assert sorted(kinds) == ['Gradual', 'NoneType', 'RigL', 'SET']
    shares = {kind: run.spec.shares_dense for kind, run in zip(kinds, study.runs)}
    assert shares == dict(NoneType=True, Gradual=True, RigL=False, SET=False)


def test_a_dense_training_gets_no_further_rewind_points(tmp_path):
    """Those that another study's has not kept need another one; that one stays."""
    run = load(tmp_path, dict(a=dict(sparsity=[0.8])), rewind_points=['6it']).runs[0]
    first = find(tmp_path, run.dense, ['4it'])
    first.mkdir(parents=True)
    (first / 'dense.json').write_text(json.dumps(dict(rewind=['4it', '6it'], status='running')))
    assert find(tmp_path, run.dense, ['6it']) == first
    second = find(tmp_path, run.dense, ['6it', '8it'])
    assert second.name == f'{first.name}_2' and not second.exists()


def test_study_json(tmp_path):
    study = sourced(tmp_path, paper='Table 4')
    found = json.loads(write_description(study, tmp_path / 'out').read_text())
    assert (tmp_path / 'out/study/study.json').is_file()
    assert {k: found[k] for k in ('version', 'name', 'paper', 'seeds', 'metrics')} == dict(
        version=1, name='study', paper='Table 4', seeds=[0, 1], metrics=['toy/AP'])
    assert len(found['runs']) == 10
    entry = next(e for e in found['parts']['moved'] if 'second' in e['settings']['load_from'])
    assert entry['settings'] == {'load_from': '{second}/round_1/final.pth', 'seed': 0}
    run = found['runs'][entry['run']]
    assert run['folder'] == f'../runs/{entry["run"]}' and run['base'] == 'base'
    source = run['sources']['second']
    assert found['sources']['second']['settings'] == dict(base='other')
    assert list(found['sources']['second']['runs']) == ['0', '1']
    assert found['sources']['second']['runs']['0'] == source
    assert found['runs'][source]['base'] == 'other' and found['runs'][source]['metrics'] == []
    direct = [found['runs'][e['run']] for e in found['parts']['direct']]
    assert len({r['dense'] for r in direct}) == 2 == len({r['seed'] for r in direct})


def test_means_over_seeds():
    rows = [dict(part='a', run=f'a_{seed}', settings=dict(sparsity=0.8), metric='toy/AP', seed=seed,
                 scope_sparsity=0.8, network_sparsity=0.7, dense=0.5, ticket=0.5 + change,
                 change=change, iterations=10, minutes=1.0, from_start=14, chain=22)
            for seed, change in enumerate((0.1, 0.2, 0.3))]
    group, = summarise(rows)
    assert group['seeds'] == [0, 1, 2]
    assert group['change_mean'] == pytest.approx(0.2) and group['change_std'] == pytest.approx(0.1)
    assert summarise(rows[:1])[0]['change_std'] is None
    # The paired t test; the same runs in another part are no other comparison.
    p = stats.ttest_1samp([0.1, 0.2, 0.3], 0).pvalue
    assert group['p'] == group['p_corrected'] == pytest.approx(p)
    assert group['interval'] == pytest.approx((0.2 - 0.2484, 0.2 + 0.2484), abs=1e-4)
    worse = [{**row, 'run': f'b_{row["seed"]}', 'settings': dict(sparsity=0.9),
              'ticket': 0.2 + row['seed'] / 20,
              'change': row['seed'] / 20 - 0.3} for row in rows]
    groups = summarise([*rows, *worse, *({**row, 'part': 'b'} for row in rows)])
    assert [g['p_corrected'] for g in groups] == pytest.approx([p, 2 * groups[1]['p'], p])
    text = to_markdown(groups, 'Wall time: 1 s.', '')
    assert 'corrected by Holm for the 2 comparisons of this table' in text
    assert '| +0.2000 ± 0.1000 | -0.0484 to +0.4484 | 0.074 | 10 | 14 | 22 |' in text
    assert text.endswith(' min |\n\nWall time: 1 s.\n')
    alone, = summarise(rows[:1])
    assert (alone['interval'], alone['p'], alone['p_corrected']) == (None, None, None)
    assert 'No p value: a test needs two seeds' in to_markdown([alone])
    assert len(summarise([*rows, {**rows[0], 'metric': 'toy/loss'}])) == 2
    assert settings_text(dict(scope=['base', 'top'], rounds=3)) == 'scope base+top, rounds 3'
