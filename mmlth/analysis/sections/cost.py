"""What a ticket cost, and what the sparse network would cost to run and to keep."""
from statistics import fmean
from typing import Any, Dict, Iterable, List, Optional, Sequence

from mmlth.core.errors import UserError
from mmlth.core.flops import sparse_flops
from mmlth.report import Section

from ..compare.families import labels_of
from ..compare.groups import Cell, Group, group_runs
from ..found.run import Round, Run, sparsity_report
from ..measure.evaluate import Evaluations

_TRAINING = {
    'group': 'model, data', 'method': 'method', 'scope_sparsity': 'scope sparsity (%)',
    'seeds': 'seeds', 'rounds': 'rounds', 'iterations': 'iterations',
    'from_start': 'of these from start', 'needed': 'of these needed',
    'dense_trainings': 'needed, in dense trainings',
    'images': 'images', 'minutes': 'time (min)',
    'saved_iterations': 'saved by early-bird (iterations)', 'saved': 'saved (%)'}
_NETWORK = {
    'group': 'model, data', 'method': 'method', 'scope_sparsity': 'scope sparsity (%)',
    'network_sparsity': 'network sparsity (%)', 'compute_sparsity': 'compute sparsity (%)',
    'parameters': 'parameters (M)', 'left': 'parameters left (M)', 'flops': 'FLOPs (G)',
    'flops_left': 'FLOPs left (G)', 'flops_part': 'FLOPs left (%)',
    'checkpoint': 'checkpoint (MB)', 'ticket': 'ticket file (MB)'}


def training_cost_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Iterations, images and time of each ticket, and what an early-bird ticket saved.

    Raises:
        UserError: No run says how long it trained.
    """
    rows = [_training_row(group, cell, name) for group in group_runs(runs)
            for cell, name in zip(group.cells, labels_of(group.cells))
            if any(entry.iterations for run in cell.runs for entry in run.rounds)]
    if not rows:
        raise UserError('no run says how many iterations it trained')
    saving = [row for row in rows if row['saved_iterations']]
    text = [
        'A ticket costs all rounds that lead to it, the dense one included. Iterations are '
        'those trained; from start, those that the weights of the last round have behind them '
        'since their initialisation; needed, all of them, or only those from start where the mask '
        'was drawn before any training: the dense model is trained beside it, if at all, only to '
        'be compared with; images are iterations times the batch size of the config '
        'times the processes that trained at once (one where none are noted); time is the '
        'wall time on the machine that ran it, evaluation included, whatever else ran there. '
        'Means over seeds. Where a study shares its dense training, each ticket is '
        'charged with it in full.',
        'To compare at equal cost, a dense model, or a control that needs no trained one, may be '
        'trained as long as the ticket needs: "in dense trainings" says how many times the '
        'schedule of the dense model that is.']
    text += [f'{row["group"]}, {row["method"]}: the early-bird mask ended the dense training '
             f'{row["saved_iterations"]:,.0f} iterations early, {row["saved"]:.0f} % of what the '
             'chain would have taken.' for row in saving]
    text += [f'{row["group"]}, {row["method"]}: {row["ended_by"]} ended round 0 before its '
             'schedule did; it is not the dense model.' for row in rows if row['ended_by']]
    if not saving:
        text.append('No run ended its dense training early, so early-bird saved nothing here.')
    return [Section('training-cost', 'What the tickets cost', '\n\n'.join(text), rows, _TRAINING)]


def network_cost_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Parameters, operations and file sizes, dense and sparse.

    Raises:
        UserError: No run has a readable ``sparsity.json``.
    """
    rows = []
    for group in group_runs(runs):
        for cell, name in zip(group.cells, labels_of(group.cells)):
            rows += _network_row(group, cell, name, evaluations)
    if not rows:
        raise UserError('no run has a readable sparsity.json')
    inputs = {e['flops']['inputs'] for run in runs for r in run.rounds
              for e in [evaluations.get(r)] if e is not None and e['flops'] is not None}
    text = [
        'Zeros in weights are no speed-up by themselves: dense hardware and libraries multiply '
        'with them as with any number. The operations left are those that remain if every '
        'multiplication with a pruned weight is skipped. They bound what sparse kernels could '
        'gain; what those of this package do gain on a CPU is the latency that lotteries have '
        'measured.',
        'FLOPs are counted as the network runs, a multiplication and an addition as two, in '
        'convolutions, linear layers and attention, per input of the network (an image; '
        'in top-down pose estimation a person) as the config evaluates it (flipped inputs count '
        'too), of the trained ticket, or of another network of the same model if it was not '
        'evaluated'
        + (f', mean of {max(inputs)} inputs of the evaluation data' if inputs else '')
        + '. Not counted: biases, norms, activations, RoI pooling, NMS. '
        'Layers that run once per proposal count as often as there are proposals. A layer has '
        'its FLOPs left in proportion to its density; what is no single layer, attention for '
        'one, counts in full.',
        'A checkpoint keeps zeros like any number, so its size does not fall; a ticket file '
        'keeps the surviving start weights and a bit per weight of the mask.']
    return [Section('network-cost', 'What the sparse networks cost', '\n\n'.join(text), rows,
                    _NETWORK)]


def trained_images(run: Run) -> Optional[int]:
    """Of all rounds and processes; None if no batch size or rewind point is known, or if another
    batch may have trained the dense model elsewhere."""
    batch = (run.cfg.get('train_dataloader') or {}).get('batch_size')
    if not batch or run.ticket.length.chain is None or run.dense.given is not None:
        return None
    return sum(batch * entry.length.own * (entry.processes or 1) for entry in run.rounds)


def _training_row(group: Group, cell: Cell, name: str) -> Dict[str, Any]:
    run = cell.runs[0]
    iterations = _mean(run.ticket.length.chain for run in cell.runs)
    images = _mean(trained_images(run) for run in cell.runs)
    # What another hook has cut off is not saved; nor is a dense training that is not needed.
    saved = fmean((run.dense.planned_iterations or run.dense.iterations) - run.dense.iterations
                  if run.dense.found_early else 0 for run in cell.runs)
    return dict(
        group=group.label, method=name, scope_sparsity=cell.scope_sparsity,
        seeds=len(cell.runs), rounds=len(run.rounds) - 1,
        iterations=None if iterations is None else round(iterations),
        from_start=_mean(run.ticket.length.from_start for run in cell.runs),
        needed=cell.needed, dense_trainings=group.cost(cell),
        images=None if images is None else round(images),
        minutes=_mean(sum(r.seconds for r in run.rounds) / 60 for run in cell.runs),
        saved_iterations=round(saved), ended_by=_other_end(cell),
        saved=100 * saved / (iterations + saved) if iterations else None)


def _other_end(cell: Cell) -> Optional[str]:
    """What has ended round 0 early, if it was no early-bird ticket."""
    return next((run.dense.ended_by for run in cell.runs
                 if run.dense.ended_by and not run.dense.found_early), None)


def _network_row(group: Group, cell: Cell, name: str,
                 evaluations: Evaluations) -> List[Dict[str, Any]]:
    found = [row for row in (_of_run(run.ticket, _flops(group, run, evaluations))
                             for run in cell.runs) if row]
    if not found:
        return []
    return [dict(group=group.label, method=name, scope_sparsity=cell.scope_sparsity,
                 compute_sparsity=cell.compute_sparsity, seeds=len(found),
                 **{key: _mean(row[key] for row in found) for key in found[0]})]


def _flops(group: Group, run: Run, evaluations: Evaluations) -> Optional[Dict[str, Any]]:
    """Of the ticket, or of another network of its model that was evaluated."""
    for entry in (run.ticket, *(e for other in group.runs for e in other.rounds)):
        evaluation = evaluations.get(entry)
        if evaluation is not None:
            return evaluation['flops']
    return None


def _of_run(entry: Round, flops: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    report = sparsity_report(entry)
    if report is None:
        return None
    weights, zeros = report['network']['weights'], report['network']['zeros']
    total = left = None
    if flops is not None:
        total = flops['total']
        left = sparse_flops(flops, {row['name']: row['sparsity'] for row in report['layers']})
    return dict(
        network_sparsity=100 * report['network']['sparsity'], parameters=weights / 1e6,
        left=(weights - zeros) / 1e6, flops=total and total / 1e9, flops_left=left and left / 1e9,
        flops_part=100 * left / total if total and left is not None else None,
        checkpoint=entry.checkpoint_bytes and entry.checkpoint_bytes / 1e6,
        ticket=entry.ticket_bytes and entry.ticket_bytes / 1e6)


def _mean(values: Iterable[Optional[float]]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
