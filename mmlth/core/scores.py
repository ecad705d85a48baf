"""What a weight is worth. A new score is one function and one entry in ``SCORES``."""
from typing import Callable, Dict, Mapping

from torch import Tensor

from .selection import Scores


def magnitude(weights: Mapping[str, Tensor]) -> Scores:
    """The absolute value of each weight (Han et al. 2015; the paper, section 3)."""
    return Scores(weights, absolute=True)


SCORES: Dict[str, Callable[[Mapping[str, Tensor]], Scores]] = {
    'magnitude': magnitude,
}
