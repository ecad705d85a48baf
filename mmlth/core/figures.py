"""The figures, as PNG; Okabe & Ito's colours, told apart by colour-blind readers too."""
from statistics import mean, stdev
from typing import Any, Dict, List, Mapping, Sequence

from .files import whole_file

PALETTE = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#999999']


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


def plot_settings(values: Mapping[str, Sequence[float]], dense: Sequence[float], path, *,
                  metric: str, settings: str, title: str) -> None:
    """Draw a metric for several settings, each seed a dot, beside the dense models.

    Args:
        values: Label of each setting -> one value per seed.
        dense: The dense models' values, one per seed.
        path: The file to write.
        metric: Label of the upright axis.
        settings: Label of the other one.
        title: Above the figure.
    """
    figure, axes = _axes(max(5, 2 + 1.1 * len(values)))
    for i, (label, seeds) in enumerate(values.items()):
        # Side by side, so that equal values do not hide each other.
        places = [i + 0.06 * (j - (len(seeds) - 1) / 2) for j in range(len(seeds))]
        axes.plot(places, seeds, 'o', markersize=5, color=PALETTE[0], alpha=0.8,
                  label=None if i else 'last round, one seed')
        axes.plot([i - 0.25, i + 0.25], [mean(seeds)] * 2, color=PALETTE[0], linewidth=2,
                  label=None if i else 'last round, mean')
    axes.axhline(mean(dense), color='black', linestyle='--', linewidth=1,
                 label=f'dense (round 0), mean of {len(dense)}')
    if len(dense) > 1:
        axes.axhspan(mean(dense) - stdev(dense), mean(dense) + stdev(dense), color=PALETTE[6],
                     alpha=0.25, linewidth=0, label='dense, ±1 standard deviation')
    axes.set(ylabel=metric, xlabel=settings, title=title, xlim=(-0.6, len(values) - 0.4))
    axes.set_xticks(range(len(values)), values, fontsize=9)
    axes.grid(axis='y', linewidth=0.4)
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
