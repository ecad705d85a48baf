"""What the report is made of, and what came out, in counted sentences."""
from typing import Any, Dict, List, Mapping, Sequence

from mmlth.report import Section

from ..compare.endings import endings_text
from ..compare.families import labels_of
from ..compare.gaps import apart_text, unmeasured, unpaired
from ..compare.groups import Cell, Group, group_runs
from ..compare.wording import first_text
from ..found.runs import Found

COLUMNS = {'group': 'model, data', 'method': 'method', 'runs': 'runs', 'seeds': 'seeds',
           'rounds': 'rounds', 'scope_sparsity': 'scope sparsity (%)',
           'network_sparsity': 'network sparsity (%)',
           'compute_sparsity': 'compute sparsity (%)', 'own': 'iterations of the last round',
           'from_start': 'from start', 'chain': 'whole chain'}


def overview_section(found: Found, sections: Sequence[Section],
                     skipped: Mapping[str, str], remarks: Sequence[str]) -> Section:
    """Which runs, which seeds, what was left out, and the findings of the other sections.

    Args:
        found: The runs.
        sections: All other sections.
        skipped: Analysis -> why there is nothing of it.
        remarks: More paragraphs.
    """
    groups = group_runs(found.runs)
    rows = [row for group in groups for row in _rows(group)]
    paragraphs = [_counts(found, groups), endings_text(groups)]
    paragraphs += _ended_early(groups)
    paragraphs += [f'{section.title}. {section.finding}' for section in sections
                   if section.finding]
    paragraphs += [f'{words}: {_listed(reasons)}.' for words, reasons in {
        'Not in any mean': unmeasured(groups),
        'Without a dense model of their seed': unpaired(groups)}.items() if reasons]
    paragraphs += filter(None, [apart_text(groups)])
    if found.left_out:
        paragraphs.append(f'Left out: {_listed(found.left_out)}.')
    if skipped:
        paragraphs.append(f'Not shown, for the runs give nothing to show: {_listed(skipped)}.')
    return Section('overview', 'Overview', '\n\n'.join([*paragraphs, *remarks]), rows, COLUMNS)


def _counts(found: Found, groups: Sequence[Group]) -> str:
    seeds = sorted({run.seed for run in found.runs if run.seed is not None})
    text = (f'{_number(len(found.runs), "finished lottery", "finished lotteries")} of '
            f'{_number(len(groups), "dense model", "dense models")} '
            f'({"; ".join(group.label for group in groups)}), '
            f'{_number(len(seeds), "seed", "seeds")} ({", ".join(map(str, seeds)) or "unknown"}).')
    studies = sorted({run.study for run in found.runs if run.study})
    return text + (f' Studies: {", ".join(studies)}.' if studies else '')


def _ended_early(groups: Sequence[Group]) -> List[str]:
    """Which rounds 0 are no dense models, though nothing was to be drawn early."""
    found: Dict[str, List[str]] = {}
    for run in (run for group in groups for run in group.runs):
        if run.dense.ended_by and not run.dense.found_early:
            found.setdefault(run.dense.ended_by, []).append(run.name)
    return [f'{name} ended round 0 before its schedule did in {first_text(names)}: this is not the '
            'dense model, and nothing is compared with it.' for name, names in found.items()]


def _rows(group: Group) -> List[Dict[str, Any]]:
    labels = labels_of(group.cells)
    return [_row(group, cell, label) for cell, label in zip(group.cells, labels)]


def _row(group: Group, cell: Cell, label: str) -> Dict[str, Any]:
    seeds = sorted(str(run.seed) for run in cell.runs)
    return dict(
        group=group.label, method=label, runs=len(cell.runs), seeds=', '.join(seeds),
        rounds=len(cell.runs[0].rounds) - 1, scope_sparsity=cell.scope_sparsity,
        network_sparsity=cell.network_sparsity, compute_sparsity=cell.compute_sparsity,
        own=cell.length('own'), from_start=cell.length('from_start'), chain=cell.length('chain'),
        folders=', '.join(run.name for run in cell.runs))


def _listed(reasons: Mapping[str, str]) -> str:
    """Names by reason, of which the first sentence."""
    names: Dict[str, List[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason.split('. ')[0].rstrip('.'), []).append(name)
    return '; '.join(f'{", ".join(same)} ({reason})' for reason, same in names.items())


def _number(count: int, one: str, many: str) -> str:
    return f'{count} {one if count == 1 else many}'
