"""The examples of docs/extending.md: written down as they stand there, and run."""
import json
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from own_packages import on_the_path
from toy import lottery_config, run_lottery

from mmlth.analysis import analyze
from mmlth.analysis.found.runs import read_run
from mmlth.core import paths
from mmlth.engine.verify import verify
from mmlth.report.guard import Guard

PAGE = Path(__file__).parents[1] / 'docs/extending.md'
BLOCKS = re.findall(r'^```python\n(.*?)^```$', PAGE.read_text(encoding='utf-8'), re.M | re.S)
MODULES = {found[1]: block for block in BLOCKS
           if (found := re.match(r'# (my_package/\w+\.py)\n', block))}
CONFIGS = [block for block in BLOCKS if block.startswith('# config')]
# What analyses call the lotteries of the configs, in the order of the page, and the sparsities.
LABELS = ['fisher score', 'powered(power=3) score', 'normalised', 'midway', 'wandering', 'direct']


def test_every_block_is_taken():
    assert len(MODULES) + len(CONFIGS) == len(BLOCKS) and len(CONFIGS) == len(LABELS)
    assert PAGE.read_text(encoding='utf-8').count('```') == 2 * len(BLOCKS)


def test_the_examples_run(tmp_path):
    (tmp_path / 'my_package').mkdir()
    for name, block in {'my_package/__init__.py': '', **MODULES}.items():
        (tmp_path / name).write_text(block)
    base = lottery_config('unused', latency=False)
    for key in ('work_dir', 'experiment_name'):
        base.pop(key)
    base.dump(tmp_path / 'base.py')
    with on_the_path(tmp_path, 'my_package'):
        for index, block in enumerate(CONFIGS):
            path, folder = tmp_path / f'config_{index}.py', tmp_path / 'runs' / str(index)
            path.write_text(f"_base_ = 'base.py'\n{block}")
            cfg = Config.fromfile(path)
            cfg.work_dir = str(folder)
            run_lottery(cfg)
            told = verify(folder)
            assert read_run(folder).method == LABELS[index]
            entry = json.loads((folder / paths.LOTTERY).read_text())['rounds'][-1]
            assert entry['scope_sparsity'] == pytest.approx(
                0.5 if 'HalfHook' in block else 0.8, abs=0.01)
            assert entry['round'] == (2 if 'HalfHook' in block else 1)
            assert not any('count not compared' in line for line in told)
        guard = Guard()
        page = analyze([tmp_path], tmp_path / 'out', guard=guard,
                       imports=['my_package.analyses'])
    text = (page.parent / 'report.md').read_text()
    assert guard.failed == {} and '## Margins' in text
    assert all(label in text.split('## Margins')[1] for label in LABELS[1:])
