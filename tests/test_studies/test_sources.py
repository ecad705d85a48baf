"""Sources of a study, what transfers are named after, and work dirs that were moved."""
import pytest
from toy_study import finish, write_base, write_study

from mmlth.core.errors import UserError
from mmlth.studies import load_study, run_study
from mmlth.studies.run import check

TICKET = '{%s}/round_1/ticket.safetensors'


def load(folder, axes, **spec):
    return load_study(str(write_study(folder, axes, **spec)))


def test_a_source_of_a_base_of_the_study_has_its_options(tmp_path):
    """It was another training, beside the direct run of the same base."""
    write_base(tmp_path, 'other')
    study = load(tmp_path, dict(
        direct=dict(sparsity=[0.9]), moved={'load_from': [TICKET % 'same', TICKET % 'other']}),
        sources=dict(same=dict(base='./base.py', sparsity=0.9), other=dict(base='other.py')),
        cfg_options={'train_cfg.max_iters': 8})
    same, other = (study.sources[name][0] for name in ('same', 'other'))
    assert same.name in [run.name for run in study.runs if 'direct' in run.parts]
    assert same.cfg.train_cfg.max_iters == 8 and len(study.all_runs) == 3 + 1
    # Another model may not even have these keys.
    assert other.cfg.train_cfg.max_iters == 12


def test_what_a_source_sets_itself_holds(tmp_path):
    study = load(tmp_path, dict(moved={'load_from': [TICKET % 'short']}),
                 sources=dict(short={'base': 'base.py', 'train_cfg.max_iters': 6}),
                 cfg_options={'train_cfg.max_iters': 8})
    assert [run.cfg.train_cfg.max_iters for run in study.all_runs] == [6, 8]


def test_a_source_starts_from_no_other(tmp_path):
    """The name of the other stood in its config as it is, and it could not run."""
    with pytest.raises(UserError, match="sources.b: it starts from the source 'a'"):
        load(tmp_path, dict(moved={'load_from': [TICKET % 'b']}), sources=dict(
            a=dict(base='base.py'), b=dict(base='base.py', load_from=TICKET % 'a')))


def test_a_transfer_and_its_control_are_two_runs(tmp_path):
    """The base's own control goes where a transfer takes its place, and was taken for set."""
    write_base(tmp_path, default_hooks=dict(prune=dict(control='random_mask')))
    transfer = [dict(source='x/ticket.safetensors')]
    ticket, control, direct = load(tmp_path, dict(
        a=dict(transfer=transfer), b=dict(transfer=transfer, control=['random_mask']),
        c=dict(control=['random_mask']))).runs
    hook, other = ticket.cfg.default_hooks.prune, control.cfg.default_hooks.prune
    assert 'control' not in hook and other.control == 'random_mask'
    assert hook.transfer == other.transfer and list(control.parts) == ['b']
    assert direct.name.startswith('base_seed-0_') and not direct.spec.prune.transfer


def test_a_finished_study_that_was_moved_and_whose_data_are_gone(tmp_path):
    """It could be neither shown nor written anew."""
    before, now = tmp_path / 'before', tmp_path / 'now'
    data = dict(dataset=dict(ann_file=str(tmp_path / 'gone.json')))
    write_base(tmp_path, train_dataloader=data)
    path = write_study(tmp_path, dict(a=dict(transfer=[dict(source=TICKET % 'first')])),
                       sources=dict(first=dict(base='base.py')))
    study = load_study(str(path))
    with pytest.raises(UserError, match='the data set is not there'):
        check(study, before)
    finish(study, before, ({'toy/AP': 70.0}, {'toy/AP': 69.0}))
    before.rename(now)
    assert run_study(study, str(path), now) == 0
    # What was made of another config is refused as before.
    write_base(tmp_path, iters=8, train_dataloader=data)
    with pytest.raises(UserError, match='begun with another config.*max_iters was 12, is 8'):
        check(load_study(str(path)), now)
