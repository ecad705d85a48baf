"""Written lotteries with written evaluations: what the analyses read, without networks."""
from pathlib import Path

from written import COCO, MASK, write_lottery

from mmlth.analysis.found.runs import read_run
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.core import paths
from mmlth.core.files import write_json

ALL = dict(small=10, medium=20, large=30)


def precision(ap, sizes=(), categories=(), protocol='COCO', objects=ALL):
    """One kind of a written evaluation; ``sizes`` and ``categories`` are pairs."""
    return dict(AP=ap, AP50=ap, AP75=ap, sizes=dict(sizes), objects=objects,
                categories=dict(categories), protocol=protocol)


def write_evaluation(folder, index, kinds, counts=None, flops=None, examples=()):
    """``kinds``: kind -> :func:`precision`."""
    write_json(paths.round_dir(folder, index) / paths.EVALUATION, dict(
        version=1, weights='', loop='val', precision=kinds, training_counts=counts,
        flops=flops or dict(inputs=2, total=100.0, layers={}), examples=list(examples)))


def write_run(folder, dense, ticket, seed=0, sparsity=0.8, counts=None, flops=None, **lottery):
    """A lottery with evaluations of its two rounds; returns the run."""
    settings = dict(model=MASK, data=COCO, scope=sparsity, network=sparsity * 0.9)
    write_lottery(Path(folder), {}, {}, seed=seed, sparsity=sparsity, **{**settings, **lottery})
    for index, kinds in ((0, dense), (1, ticket)):
        write_evaluation(folder, index, kinds, counts, flops)
    return read_run(folder)


def evaluations(runs):
    """What the sections take; nothing may fail."""
    found = Evaluations.of_runs(runs, say=print)
    assert not found.problems
    return found
