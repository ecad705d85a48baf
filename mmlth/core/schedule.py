"""The sparsity after each round of iterative pruning."""
from numbers import Real
from typing import Any, List, Sequence, Union

from .errors import UserError


def round_sparsities(sparsity: Union[float, Sequence[float]], rounds: int = 1) -> List[float]:
    """The sparsity of rounds 0..R; round 0 is dense.

    After round r the density is ``(1 - sparsity) ** (r / rounds)``: every round removes
    the same fraction of what is left (the paper, Algorithm 1; Frankle & Carbin 2019).

    Args:
        sparsity: The final sparsity in [0, 1), or one per round 1..R, never falling.
        rounds: R, at least 1. With a list of sparsities it must be the list's length.

    Raises:
        UserError: The values are out of range, or sparsity falls.
    """
    if isinstance(sparsity, (list, tuple)):
        values = [0.0, *sparsity]
        if rounds not in (1, len(sparsity)) or not sparsity:
            raise UserError(f'{len(sparsity)} sparsities do not fit rounds={rounds}')
        for value in sparsity:
            check_sparsity(value)
        if any(a > b for a, b in zip(values, values[1:])):
            raise UserError(f'sparsities must never fall, got {list(sparsity)}')
        return values
    final = check_sparsity(sparsity)
    if not isinstance(rounds, int) or rounds < 1:
        raise UserError(f'rounds must be a whole number, at least 1, got {rounds!r}')
    # The last round gets the value as it was given, free of rounding errors, which could put a
    # round before it above a value close to 0.
    inner = [min(1 - (1 - final) ** (r / rounds), final) for r in range(1, rounds)]
    return [0.0, *inner, final]


def check_sparsity(sparsity: Any) -> float:
    """The sparsity; raises a UserError unless it is a fraction in [0, 1)."""
    if (not isinstance(sparsity, Real) or isinstance(sparsity, bool)
            or not 0 <= float(sparsity) < 1):
        raise UserError(
            f'sparsity must be the fraction of weights to remove, in [0, 1), got '
            f'{sparsity!r}; for 80 % write 0.8')
    return float(sparsity)
