"""Studies: many lotteries that differ in a few settings, and what they show together."""
from .load import load_study
from .preview import dry_run
from .run import run_study
from .study import Run, Study

__all__ = ['Run', 'Study', 'dry_run', 'load_study', 'run_study']
