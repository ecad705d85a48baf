"""Scores and allocations by what settings say."""
from typing import Any, Optional

from mmlth.core import Allocation, Score
from mmlth.core.drawing.allocation import as_allocation
from mmlth.core.drawing.pattern import pattern_of
from mmlth.core.drawing.score import as_score
from mmlth.registry import ALLOCATIONS, SCORES, find, noted

_PATTERNS = ', or N:M with N < M such as 2:4'


def score_of(named: Any) -> Score:
    """The score that :func:`~mmlth.registry.find` takes by that.

    Raises:
        UserError: There is none.
    """
    return as_score(find(SCORES, named))


def allocation_of(named: Any) -> Allocation:
    """The allocation that :func:`~mmlth.registry.find` takes by that, or N:M with 0 < N < M.

    Raises:
        UserError: There is none.
    """
    pattern = pattern_of(named)
    return pattern or as_allocation(find(ALLOCATIONS, named, _PATTERNS))


def noted_score(name: Any) -> Optional[Score]:
    """The score that a file notes by name; None if it is not here. Nothing is imported for it."""
    found = noted(SCORES, name)
    return None if found is None else as_score(found)


def noted_allocation(name: Any) -> Optional[Allocation]:
    """The allocation that a file notes by name; None if it is not here. Nothing is imported for it.
    """
    found = noted(ALLOCATIONS, name)
    return pattern_of(name) if found is None else as_allocation(found)
