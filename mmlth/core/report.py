"""How many weights a mask removes: per layer, per group, in scope, in the network."""
from typing import Any, Dict, List, Mapping

from torch import Tensor, nn

from . import mask as masks
from .files import whole_file
from .scope import groups_of


def sparsity_report(model: nn.Module, mask: Mapping[str, Tensor]) -> Dict[str, Any]:
    """Count weights and zeros.

    Args:
        model: The bare model.
        mask: Masks by parameter name; may be empty.

    Returns:
        dict: ``layers`` (one row per parameter in scope), ``groups``, ``scope`` and
        ``network``. A row has ``name``, ``weights``, ``zeros`` and ``sparsity``, a
        layer's row its ``group`` too. ``network`` counts **all** parameters, as the
        paper's tables do; zeros are the pruned weights.
    """
    layers = []
    for name, keep in mask.items():
        zeros = keep.numel() - int(keep.sum())
        layers.append({**_row(name, keep.numel(), zeros), 'group': groups_of(name)[0]})
    groups: Dict[str, List[dict]] = {}
    for row in layers:
        groups.setdefault(row['group'], []).append(row)
    zeros = masks.pruned(mask)
    return dict(
        network=_row('network', sum(p.numel() for p in model.parameters()), zeros),
        scope=_row('scope', masks.size(mask), zeros),
        groups=[_row(name, sum(r['weights'] for r in rows), sum(r['zeros'] for r in rows))
                for name, rows in groups.items()],
        layers=layers)


def _row(name: str, weights: int, zeros: int) -> Dict[str, Any]:
    return dict(name=name, weights=weights, zeros=zeros,
                sparsity=zeros / weights if weights else 0.0)


def to_markdown(report: Mapping[str, Any]) -> str:
    """The report as one Markdown table, the whole first and the layers last."""
    rows = [report['network'], report['scope'],
            *({**r, 'name': f'group {r["name"]}'} for r in report['groups']),
            *({**r, 'name': f'`{r["name"]}`'} for r in report['layers'])]
    lines = ['| | weights | zeros | sparsity |', '|---|---:|---:|---:|']
    lines += [f'| {r["name"]} | {r["weights"]:,} | {r["zeros"]:,} | {r["sparsity"]:.2%} |'
              for r in rows]
    return '\n'.join(lines) + '\n'


def plot_layers(report: Mapping[str, Any], path, title: str = 'Sparsity of each layer') -> None:
    """Draw the sparsity of each layer, input to output (the paper, Fig. 2c), as PNG."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    layers, scope = report['layers'], report['scope']
    # Okabe & Ito's palette: told apart by colour-blind readers too.
    palette = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#999999']
    groups = list(dict.fromkeys(r['group'] for r in layers))
    figure, axes = plt.subplots(figsize=(min(24, 3 + 0.22 * len(layers)), 5))
    for i, group in enumerate(groups):
        at = [j for j, r in enumerate(layers) if r['group'] == group]
        axes.bar(at, [100 * layers[j]['sparsity'] for j in at], label=group,
                 color=palette[i % len(palette)])
    axes.axhline(100 * scope['sparsity'], color='black', linestyle='--', linewidth=1,
                 label=f'all in scope, {scope["sparsity"]:.1%}')
    axes.set(ylabel='weights pruned (%)', ylim=(0, 100), title=title,
             xlim=(-0.7, len(layers) - 0.3))
    axes.set_xticks(range(len(layers)), [r['name'].removesuffix('.weight') for r in layers],
                    rotation=90, fontsize=7)
    axes.legend(loc='upper left', bbox_to_anchor=(1, 1), frameon=False)
    with whole_file(path) as part:
        figure.savefig(part, format='png', dpi=120, bbox_inches='tight')
    plt.close(figure)
