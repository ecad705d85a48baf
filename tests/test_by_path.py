"""Methods that nobody has registered, in configs of text and in pure Python ones."""
from pathlib import Path

import pytest
from mmengine.config import Config
from own_packages import on_the_path
from toy import lottery_config, run_lottery

from mmlth.analysis.found.runs import read_run
from mmlth.engine import PruneHook
from mmlth.engine.dump import read_dump
from mmlth.engine.hook_configs import build_hook
from mmlth.engine.verify import verify

FOLDER, PACKAGE = Path(__file__).parent / 'outside', 'own_methods'
# The arguments of hooks in a config, of text or with objects; and what analyses say.
TEXT = [
    (dict(prune="score='by_path.fisher', allocation='by_path.evenly', rounds=1"),
     'evenly, fisher score'),
    (dict(prune="score=dict(type='by_path.powered', power=3), "
                "update=dict(type='by_path.Wander', interval=4)",
          rewind="mode=dict(type='by_path.Midway', share=0.25)"),
     'Wander, powered(power=3) score, Midway')]
OBJECTS = [
    (dict(prune='score=by_path.powered, allocation=spare_last.spare_last',
          rewind='mode=by_path.Midway'), 'spare_last, powered score, Midway'),
    (dict(prune='allocation=by_path.evenly, update=dict(type=by_path.Wander, interval=4)',
          rewind='mode=mirrored.Mirrored'), 'Wander, evenly, mirrored'),
    (dict(prune='score=dict(type=by_path.powered, power=3), '
                'update=dict(type=Gradual, interval=4)'),
     'gradual pruning, powered(power=3) score')]
IMPORTS = f'''
from mmengine.config import read_base
from mmlth.engine.updates import Gradual
from {PACKAGE} import by_path, mirrored, spare_last
with read_base():
    from .nothing import *
'''


def write_config(folder, methods, imports):
    """A lottery's config with those arguments."""
    base = lottery_config('unused', to='0it', latency=False)
    for key in ('work_dir', 'experiment_name'):
        base.pop(key)
    text = base.pretty_text
    for kind, arguments in methods.items():
        hook = f"type='mmlth.{kind.title()}Hook'"
        assert text.count(hook) == 1
        text = text.replace(hook, f'{hook}, {arguments}').replace('rounds=1,', '', kind == 'prune')
    (folder / 'nothing.py').write_text('')
    (folder / 'own.py').write_text(imports + text)
    return str(folder / 'own.py')


@pytest.mark.parametrize('methods, label, imports', [
    *((methods, label, '') for methods, label in TEXT),
    *((methods, label, IMPORTS) for methods, label in OBJECTS)])
def test_a_lottery(tmp_path, methods, label, imports):
    """What its rounds dump names methods by their paths, and is read by itself."""
    if not imports:
        methods = {hook: text.replace("'by_path", f"'{PACKAGE}.by_path")
                   for hook, text in methods.items()}
    with on_the_path(FOLDER, PACKAGE):
        cfg = Config.fromfile(write_config(tmp_path, methods, imports))
        cfg.work_dir = str(tmp_path / 'run')
        run_lottery(cfg)
        told = verify(tmp_path / 'run')
        assert any('as sparsity' in line for line in told) or 'evenly' in label
        assert read_run(tmp_path / 'run').method == label
    with on_the_path(FOLDER, PACKAGE):
        dump = read_dump(next((tmp_path / 'run/round_0').glob('*.py')))
        assert build_hook(dump, PruneHook).spec.rounds == 1
    # Where the package is not installed, its names stand for it.
    assert read_run(tmp_path / 'run').method == label.replace('mirrored', 'Mirrored')
    assert verify(tmp_path / 'run')
