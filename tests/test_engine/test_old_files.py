"""Lotteries that an earlier version has left: resumed, verified and analysed by this one.

``fixtures/lotteries_0_1_0.tar.gz`` has two of the toy model, made before settings were parsed into
specs: ``finished``, and ``interrupted`` in the middle of round 1. Only the files that a later
start reads are in it.
"""
import csv
import json
import tarfile
from pathlib import Path

import pytest
import torch
from toy import lottery_config, run_lottery

from mmlth.analysis import analyze
from mmlth.core import checkpoint_file, paths
from mmlth.engine.verify import verify

FIXTURES = Path(__file__).parents[1] / 'fixtures'


def config(work_dir):
    """What both were trained with."""
    cfg = lottery_config(work_dir, sparsity=0.8, rounds=2, latency=False)
    cfg.default_hooks.checkpoint.interval = 6
    return cfg


@pytest.fixture
def old(tmp_path):
    """The folder with both lotteries."""
    with tarfile.open(FIXTURES / 'lotteries_0_1_0.tar.gz') as archive:
        archive.extractall(tmp_path)
    return tmp_path


def forget_spec(folder):
    """As lotteries were noted before theirs had their settings beside the config."""
    path = folder / paths.LOTTERY
    noted = json.loads(path.read_text())
    for key in ('spec', 'hooks'):
        noted.pop(key, None)
    path.write_text(json.dumps(noted))


@pytest.mark.parametrize('spec', [True, False])
def test_an_interrupted_one_goes_on_to_the_same_weights(old, spec):
    if not spec:
        forget_spec(old / 'interrupted')
    before = (old / 'interrupted/round_0/final.pth').read_bytes()
    run_lottery(config(old / 'interrupted'), resume=True)
    assert (old / 'interrupted/round_0/final.pth').read_bytes() == before      # not trained again
    assert verify(old / 'interrupted')
    for index in (1, 2):
        one, other = (checkpoint_file.load(old / name / f'round_{index}/final.pth')['state_dict']
                      for name in ('interrupted', 'finished'))
        assert one.keys() == other.keys()
        for name in one:    # another version of PyTorch may sum in another order
            torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('spec', [True, False])
def test_a_finished_one_is_verified_and_analysed(old, spec):
    if not spec:
        forget_spec(old / 'finished')
    assert verify(old / 'finished')
    page = analyze([old / 'finished'], old / 'page')
    with (page.parent / 'tables/overview.csv').open() as file:
        found, = csv.DictReader(file)
    assert found['method'] == 'direct' and found['rounds'] == '2'
    assert found['scope_sparsity'].startswith('79.95')


def test_a_finished_one_is_not_trained_again(old):
    before = {path: path.read_bytes() for path in old.glob('finished/round_*/*.pth')}
    assert len(before) >= 6
    run_lottery(config(old / 'finished'), resume=True)
    assert all(path.read_bytes() == content for path, content in before.items())
