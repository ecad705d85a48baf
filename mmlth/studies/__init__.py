"""Studies: many lotteries that differ in a few settings, and one table of their results."""
from .run import run_study
from .study import Run, Study, load_study

__all__ = ['Run', 'Study', 'load_study', 'run_study']
