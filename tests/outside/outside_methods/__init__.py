"""Methods of a user of mmlth, in a package that mmlth knows nothing of."""
from . import allocations, analyses, hooks, scores, starts, updates

__all__ = ['allocations', 'analyses', 'hooks', 'scores', 'starts', 'updates']
