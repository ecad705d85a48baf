"""What a finished round leaves: its files, and what the chain notes of it."""
import os
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from mmengine.runner import Runner

from mmlth.core import Ticket, paths, sparsity_report
from mmlth.core.files import write_json
from mmlth.report.guard import Guard

from ..costs import round_compute_sparsity
from ..hooks.rewind_hook import rewind_hook
from ..ranks import say
from ..runners import bare_model, mean_teacher
from .curves import keep_curves
from .final import save_final, trained_ticket
from .samples import keep_samples


def finish_round(runner: Runner, work_dir: Path, index: int,
                 given: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """Write ``final.pth``, the round's sparsity, curves and images; return what the chain notes.

    Args:
        runner: Of the round. Nothing collective is done.
        work_dir: Of the chain.
        index: Which round.
        given: The note of a dense model that was trained elsewhere. Default: None.
    """
    folder = paths.round_dir(work_dir, index)
    ticket = folder / paths.TICKET if index else None
    trained = None if ticket is None else trained_ticket(runner, Ticket.load(ticket), folder)
    mask = trained.mask if trained else {}
    save_final(runner, folder / paths.FINAL, mask, given)
    guard = Guard(say)
    if not given:
        guard.run(f'training curves of round {index}', lambda: keep_curves(runner, folder))
    if given or runner.iter:
        guard.run(f'sample images of round {index}', lambda: keep_samples(runner, folder))
    counts = sparsity_report(bare_model(runner.model), mask, mean_teacher(runner))
    write_json(folder / paths.SPARSITY, counts)
    relative = (lambda p: str(p.relative_to(work_dir)))
    rewind = rewind_hook(runner)
    return dict(
        scope_sparsity=counts['scope']['sparsity'],
        network_sparsity=counts['network']['sparsity'],
        compute_sparsity=round_compute_sparsity(runner, trained),
        checkpoint=relative(folder / paths.FINAL),
        checkpoint_bytes=os.path.getsize(folder / paths.FINAL),
        ticket=relative(ticket) if ticket else None,
        ticket_bytes=os.path.getsize(ticket) if ticket else None,
        **_length(runner, given), rewind_iteration=rewind and rewind.iteration)


def _length(runner: Runner, given: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """How long it was trained; elsewhere, as far as that is told."""
    if given:
        told = given['iterations'] or 0
        return dict(iterations=told, planned_iterations=told, ended_by=None)
    return dict(iterations=runner.iter, planned_iterations=runner.max_iters,
                ended_by=runner.ended_by if runner.iter < runner.max_iters else None)
