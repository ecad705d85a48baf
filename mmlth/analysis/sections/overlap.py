"""How much tickets of different seeds, rounds and tasks have in common, against chance."""
from statistics import fmean
from typing import Any, Dict, List, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.core.similarity import pruned_iou
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.groups import group_runs
from ..compare.pairs import ALL, MaskComparison, find_comparisons
from ..compare.wording import first_text
from ..found.run import Run
from ..measure.evaluate import Evaluations

_COLUMNS = {
    'compared': 'compared', 'group': 'model, data', 'tickets': 'tickets', 'part': 'part',
    'weights': 'weights', 'pairs': 'pairs', 'density_a': 'density (%)',
    'density_b': 'density of the other (%)', 'iou': 'IoU', 'chance': 'IoU by chance',
    'chance_layers': 'by chance, layer by layer', 'iou_pruned': 'IoU of the pruned',
    'chance_pruned': 'of the pruned by chance'}
_KINDS = {'seeds': 'drawn with different seeds', 'rounds': 'drawn in one round and in several',
          'tasks': 'of different tasks or origins'}
_SHOWN = 3      # comparisons in a figure
_FIGURES = 4    # of each kind


def overlap_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """The overlap by group of layers, and layer by layer.

    Raises:
        UserError: There are no two tickets to compare.
    """
    found = find_comparisons(group_runs(runs))
    if not found:
        raise UserError('there are no two tickets that share layers and differ in their seed, '
                        'their number of rounds or their task alone')
    parts = Section(
        'overlap', 'Overlap of tickets', _text(found), _rows(found, 'parts'), _COLUMNS,
        _figures(found, 'parts'))
    layers = Section(
        'overlap-layers', 'Overlap of tickets, layer by layer',
        'The same per layer, numbered from the input on; the table of data has their names.',
        _rows(found, 'layers'), figures=_figures(found, 'layers'))
    return [parts, layers]


def _rows(found: Sequence[MaskComparison], level: str) -> List[Dict[str, Any]]:
    rows = []
    for comparison in found:
        for number, (name, pairs) in enumerate(getattr(comparison, level).items(), 1):
            mean = _mean(pairs)
            rows.append(dict(
                compared=comparison.kind, group=comparison.group, tickets=comparison.label,
                **({'number': number, 'layer': name} if level == 'layers' else {'part': name}),
                weights=comparison.weights[name], pairs=len(pairs), iou=mean[0],
                chance=mean[1], **({} if level == 'layers' else {'chance_layers': mean[2]}),
                **_of_the_pruned(pairs), density_a=100 * mean[3],
                density_b=100 * mean[4]))
    return rows


def _figures(found: Sequence[MaskComparison], level: str) -> List[Figure]:
    """One per kind and model; each comparison with its chance level beside it."""
    figures, layers = [], level == 'layers'
    for kind, group in _plotted(found):
        own = [c for c in found if (c.kind, c.group) == (kind, group)]
        series = []
        for comparison in own[-_SHOWN:]:    # the sparsest, where chance is low
            values = {name: _mean(pairs) for name, pairs in getattr(comparison, level).items()}
            x = list(range(1, len(values) + 1)) if layers else list(values)
            series += [Series(comparison.label, x, [v[0] for v in values.values()]),
                       Series(f'chance, {comparison.label}', x, [v[2] for v in values.values()])]
        figures.append(Figure(
            slug('overlap', kind, group, *(['layers'] if layers else [])),
            'lines' if layers else 'bars',
            f'{group}: intersection over union of the surviving weights of two tickets, '
            f'{_KINDS[kind]}, beside what two random masks with the same density in each layer '
            'would have.',
            'layer' if layers else 'group of layers', 'IoU (fraction)', series))
    return figures


def _plotted(found: Sequence[MaskComparison]) -> List[Tuple[str, str]]:
    """Kind and model of the figures: of each kind those farthest above chance."""
    chosen: List[Tuple[str, str]] = []
    for kind in _KINDS:
        highest: Dict[str, float] = {}
        for comparison in found:
            if comparison.kind == kind:
                highest[comparison.group] = max(
                    _above_chance(comparison), highest.get(comparison.group, -1.0))
        best = sorted(highest, key=highest.__getitem__, reverse=True)[:_FIGURES]
        chosen += [(kind, group) for group in highest if group in best]
    return chosen


def _text(found: Sequence[MaskComparison]) -> str:
    """What the numbers are, and how far each kind of overlap is above chance."""
    return '\n\n'.join([
        'Intersection over union (IoU) of the weights that survive in two tickets, of layers '
        'with the same name and shape. Two random masks of densities p and q have '
        'pq / (p + q − pq) by chance. The same of the weights that are pruned is higher in sparse '
        'tickets, by chance too. Global pruning empties the same layers of both tickets, '
        f'which alone makes them alike: the column "{_COLUMNS["chance_layers"]}", and the figures, '
        'take the densities of each layer into account. Figures show the '
        f'{_FIGURES} models or pairs of models that are farthest above chance, the tables all.',
        *(_summary(text, [c for c in found if c.kind == kind]) for kind, text in _KINDS.items()
          if any(c.kind == kind for c in found))])


def _summary(text: str, found: Sequence[MaskComparison]) -> str:
    """Of all comparisons of a kind the least and the most above chance."""
    low, high = (pick(found, key=_above_chance) for pick in (min, max))
    sentence = f'Tickets {text}: ' + (
        f'{_one(high)}.' if low is high else f'from {_one(low)} to {_one(high)}.')
    apart = list(dict.fromkeys(name for comparison in found for name in comparison.apart))
    if apart:
        sentence += (f' Not compared, for only one has them or in another shape: '
                     f'{first_text(apart)}.')
    return sentence


def _one(comparison: MaskComparison) -> str:
    return (f'{_above_chance(comparison):+.3f} above chance layer by layer '
            f'(IoU {_mean(comparison.parts[ALL])[0]:.3f}: {comparison.group}, '
            f'{comparison.label})')


def _above_chance(comparison: MaskComparison) -> float:
    iou, _, by_layer, *_ = _mean(comparison.parts[ALL])
    return iou - by_layer


def _of_the_pruned(pairs: Sequence[tuple]) -> Dict[str, float]:
    """IoU and chance of the pruned weights, which those of the survivors decide."""
    return dict(iou_pruned=fmean(pruned_iou(one[0], *one[3:]) for one in pairs),
                chance_pruned=fmean(pruned_iou(one[1], *one[3:]) for one in pairs))


def _mean(pairs: Sequence[tuple]) -> List[float]:
    """Over pairs of the numbers of :func:`mmlth.analysis.compare.pairs.compare_masks`."""
    return [fmean(values) for values in zip(*pairs)]
