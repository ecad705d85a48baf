"""Studies: many lotteries that differ in a few settings, and what they show together."""
from .one import run_dense, run_one
from .preview import dry_run
from .run import run_study
from .study import Run, Study, load_study

__all__ = ['Run', 'Study', 'dry_run', 'load_study', 'run_dense', 'run_one', 'run_study']
