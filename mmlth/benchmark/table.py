"""One row per figure, for people and as JSON."""
from typing import Any, Dict, List, Optional


def row(part: str, what: str, ours: float, reference: Optional[float], unit: str,
        ratio: Optional[float] = None, *, at_most: Optional[float] = None,
        at_least: Optional[float] = None) -> Dict[str, Any]:
    """One figure.

    Args:
        part: ``step``, ``draw`` or ``ticket``.
        what: What was measured, and against what.
        ours: In ``unit``: ``s``, ``B``, ``B/weight`` or ``MB/s``.
        reference: What it is compared with, in the same unit; None if with nothing.
        ratio: What the goal is about; None: ``ours`` itself.
        at_most: The goal.
        at_least: The goal, where more is better.
    """
    figure = ours if ratio is None else ratio
    goal = met = None
    if at_most is not None:
        goal, met = f'<= {at_most:g}', bool(figure <= at_most)
    elif at_least is not None:
        goal, met = f'>= {at_least:g}', bool(figure >= at_least)
    return dict(part=part, what=what, ours=ours, reference=reference, unit=unit,
                ratio=ratio, goal=goal, met=met)


def to_text(machine: Dict[str, Any], rows: List[Dict[str, Any]]) -> str:
    """The machine in one line, then the table."""
    head = (f'{machine["processor"]}, {machine["cores"]} cores (load {machine["load"]:.1f}), '
            f'torch {machine["torch"]}, {machine["threads"]} threads, '
            f'device {machine["gpu"] or machine["device"]}')
    width = max(len(r['what']) for r in rows)
    lines = [f'{"":<8}{"":<{width}}{"ours":>16}{"reference":>16}{"ratio":>9}{"goal":>10}  met']
    for r in rows:
        ratio = '' if r['ratio'] is None else f'{r["ratio"]:.3g}x'
        met = '' if r['met'] is None else 'yes' if r['met'] else 'NO'
        lines.append(f'{r["part"]:<8}{r["what"]:<{width}}{_amount(r["ours"], r["unit"]):>16}'
                     f'{_amount(r["reference"], r["unit"]):>16}{ratio:>9}'
                     f'{r["goal"] or "":>10}  {met}'.rstrip())
    return '\n'.join([head, '', *lines])


def _amount(value: Optional[float], unit: str) -> str:
    if value is None:
        return ''
    if unit == 's':
        return f'{value:.2f} s' if value >= 10 else f'{1e3 * value:.1f} ms'
    if unit == 'B':
        return f'{value / 1e6:.1f} MB'
    return f'{value:.3g} {unit}'
