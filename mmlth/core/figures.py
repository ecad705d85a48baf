"""The figures, as PNG; Okabe & Ito's colours, told apart by colour-blind readers too."""
from typing import Any, Dict, List, Mapping

from .files import whole_file

PALETTE = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#999999']


def plot_layers(report: Mapping[str, Any], path, title: str = 'Sparsity of each layer') -> None:
    """Draw the sparsity of each layer, input to output (the paper, Fig. 2c).

    Args:
        report: From :func:`mmlth.core.report.sparsity_report`.
        path: The file to write.
    """
    layers, scope = report['layers'], report['scope']
    groups = list(dict.fromkeys(r['group'] for r in layers))
    figure, axes = _axes(min(24, 3 + 0.22 * len(layers)))
    for i, group in enumerate(groups):
        at = [j for j, r in enumerate(layers) if r['group'] == group]
        axes.bar(at, [100 * layers[j]['sparsity'] for j in at], label=group,
                 color=PALETTE[i % len(PALETTE)])
    axes.axhline(100 * scope['sparsity'], color='black', linestyle='--', linewidth=1,
                 label=f'all in scope, {scope["sparsity"]:.1%}')
    axes.set(ylabel='weights pruned (%)', ylim=(0, 100), title=title,
             xlim=(-0.7, len(layers) - 0.3))
    axes.set_xticks(range(len(layers)), [r['name'].removesuffix('.weight') for r in layers],
                    rotation=90, fontsize=7)
    _save(figure, axes, path)


def plot_early_bird(rows: List[Dict[str, Any]], path) -> None:
    """Draw the agreement of early masks with the final one (the paper, Fig. 2f).

    Args:
        rows: From :func:`mmlth.core.early_bird.curve`.
        path: The file to write.
    """
    figure, axes = _axes(8)
    iterations = [row['iteration'] for row in rows]
    axes.plot(iterations, [row['iou_final'] for row in rows], marker='o', markersize=4,
              color=PALETTE[0], label='with the final mask')
    axes.plot(iterations[1:], [row['iou_previous'] for row in rows[1:]], marker='s',
              markersize=4, color=PALETTE[1], label='with the mask before')
    axes.plot(iterations, [row['chance'] for row in rows], color='black', linestyle='--',
              linewidth=1, label='random masks')
    axes.set(xlabel='iteration', ylabel='IoU of surviving weights', ylim=(0, 1.02),
             title='Early-bird masks')
    _save(figure, axes, path)


def _axes(width: float):
    # Not pyplot: that would switch a notebook's backend and keep the figure alive.
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, 5))
    return figure, figure.add_subplot()


def _save(figure, axes, path) -> None:
    axes.legend(loc='upper left', bbox_to_anchor=(1, 1), frameon=False)
    with whole_file(path) as part:
        figure.savefig(part, format='png', dpi=120, bbox_inches='tight')
