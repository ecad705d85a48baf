"""The report of a finished chain: dense against tickets."""
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmengine.config import Config

from mmlth.core import paths
from mmlth.core.files import write_json, write_text
from mmlth.core.figures import plot_layers
from mmlth.core.report import to_markdown

from .rounds import hook_config

# What mmdet's and mmpose's metrics call their main figures.
_MAIN = ('mAP', 'mAP_50', 'AP50', 'AP', 'AP .5', 'PCK', 'AUC', 'NME', 'top1')


def main_metrics(rounds: Sequence[Dict[str, Any]]) -> List[str]:
    """The metrics worth a column, in the evaluator's order."""
    names = list(dict.fromkeys(n for entry in rounds for n in entry['metrics']))
    main = [n for n in names if n.split('/')[-1] in _MAIN
            or n.split('/')[-1].split('_', 1)[-1] in _MAIN]
    return main or names[:2]


def one_line(entry: Dict[str, Any]) -> str:
    """One round in one line."""
    metrics = ', '.join(f'{n} {entry["metrics"][n]:.4g}' for n in main_metrics([entry]))
    return (f'scope sparsity {entry["scope_sparsity"]:.2%}, '
            f'network sparsity {entry["network_sparsity"]:.2%}, '
            f'{metrics or "not evaluated"}')


def table(rounds: Sequence[Dict[str, Any]]) -> str:
    """Round, both sparsities, metrics with their change from dense, sizes and time."""
    names = main_metrics(rounds)
    header = ['round', 'scope sparsity', 'network sparsity']
    header += [column for name in names for column in (name, 'change')]
    header += ['checkpoint', 'ticket', 'iterations', 'time']
    rows = [header]
    for entry in rounds:
        if entry['status'] != 'done':
            continue
        row = [f'{entry["round"]}{" (dense)" if entry["round"] == 0 else ""}',
               f'{entry["scope_sparsity"]:.2%}', f'{entry["network_sparsity"]:.2%}']
        for name in names:
            value, dense = entry['metrics'].get(name), rounds[0]['metrics'].get(name)
            change = None if None in (value, dense) else value - dense
            row.append('-' if value is None else f'{value:.4f}')
            row.append('-' if change is None or not entry['round'] else f'{change:+.4f}')
        row += [_size(entry['checkpoint_bytes']), _size(entry['ticket_bytes']),
                _iterations(entry), f'{entry["seconds"] / 60:.1f} min']
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ['| ' + ' | '.join(c.ljust(w) for c, w in zip(row, widths)) + ' |' for row in rows]
    lines.insert(1, '|' + '|'.join('-' * (w + 2) for w in widths) + '|')
    return '\n'.join(lines)


def summary(rounds: Sequence[Dict[str, Any]], work_dir: Path) -> str:
    """What the run prints at its end."""
    return (f'The lottery is drawn:\n\n{table(rounds)}\n\n'
            f'Report: {work_dir / paths.REPORT}')


def write(work_dir: Path, rounds: Sequence[Dict[str, Any]], cfg: Config) -> None:
    """Write ``report.md``, ``report.json`` and the figures of all finished rounds."""
    parts = [
        f'# Lottery of {Path(cfg.filename).name if cfg.filename else work_dir.name}\n',
        table(rounds) + '\n',
        'Scope sparsity counts the weights in scope, network sparsity all parameters. '
        + settings_text(cfg)]
    saved = rounds[0]['planned_iterations'] - rounds[0]['iterations']
    if not rounds[0]['iterations']:
        parts.append('The dense model was not trained: the mask was drawn before.\n')
    elif saved > 0:
        parts.append(
            f'The early-bird ticket ended the dense training after {rounds[0]["iterations"]} '
            f'of {rounds[0]["planned_iterations"]} iterations: {saved} saved '
            f'({saved / rounds[0]["planned_iterations"]:.0%} of round 0).\n')
    if (paths.round_dir(work_dir, 0) / paths.EARLY_BIRD / paths.EARLY_BIRD_FIGURE).exists():
        curve = f'round_0/{paths.EARLY_BIRD}/{paths.EARLY_BIRD_FIGURE}'
        parts.append(f'![Agreement of early masks with the final one]({curve})\n')
    reports = {}
    for entry in rounds[1:]:
        index = entry['round']
        report = json.loads(
            (paths.round_dir(work_dir, index) / paths.SPARSITY).read_text(encoding='utf-8'))
        reports[f'round_{index}'] = report
        figure = f'{paths.FIGURES}/layer_sparsity_round_{index}.png'
        plot_layers(report, work_dir / figure, f'Sparsity of each layer, round {index}')
        parts += [f'## Round {index}\n', f'![Sparsity of each layer]({figure})\n',
                  to_markdown(report)]
    write_json(work_dir / paths.REPORT_JSON, dict(rounds=list(rounds), sparsity=reports))
    write_text(work_dir / paths.REPORT, '\n'.join(parts))


def settings_text(cfg: Config) -> str:
    """What was pruned, how, and what the tickets start from, in sentences."""
    prune, rewind = hook_config(cfg, 'PruneHook'), hook_config(cfg, 'RewindHook')
    mode, control = rewind.get('mode', 'weights'), prune.get('control')
    start = {'weights': 'the weights of', 'lr': 'its trained weights and the learning rates of',
             'finetune': 'its trained weights and the last learning rates, not'}[mode]
    text = _transfer_text(prune.transfer) if prune.get('transfer') else (
        f'Scope: {prune.get("scope") or "every convolution and linear weight"}; frozen weights '
        f'are {"in" if prune.get("frozen", True) else "not in"} scope. '
        f'Allocation: {prune.get("allocation", "global")}; score: '
        f'{prune.get("score", "magnitude")}; floor of each layer: {prune.get("floor", 0.0):.0%}. ')
    text += (
        f'A ticket starts from {start} the rewind point {rewind.get("to", "0it")}; schedule: '
        f'{rewind.get("length") or rewind.get("schedule", "restart")}.\n')
    if control:
        text += f'\nThis is a control, not a ticket: the last round is {control!r}.\n'
    return text


def _transfer_text(transfer) -> str:
    pruned = transfer.get('sparsity')
    here = f', pruned on the way to {pruned:.0%}' if pruned is not None else ''
    weights = ('and weights are transferred, where it has them,'
               if transfer.get('weights', True) else 'alone are transferred')
    return (f'Masks {weights} from {transfer.source} (mapping '
            f'{transfer.get("mapping", "backbone")!r}{here}). Of all else: ')


def _iterations(entry: Dict[str, Any]) -> str:
    done, planned = entry['iterations'], entry['planned_iterations']
    return str(done) if done >= planned else f'{done} of {planned}'


def _size(count) -> str:
    if count is None:
        return '-'
    return f'{count / 1e6:.1f} MB' if count >= 1e5 else f'{count / 1e3:.1f} kB'
