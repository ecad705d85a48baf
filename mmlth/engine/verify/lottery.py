"""The work dir of a lottery: the chain, and what it says of every round."""
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from torch import Tensor

from mmlth.core import Ticket
from mmlth.core import mask as masks
from mmlth.core import paths
from mmlth.core.flops import compute_sparsity

from ..chain.lottery_spec import settings_of
from ..chain.state import read_json, read_lottery
from .checkpoint import copies_of, load_checkpoint, read_masks
from .drawn import noted_costs
from .folder import check_folder
from .given import check_given
from .moved import update_of
from .noise import check_noise
from .training import check_end, check_seeds
from .violation import Violation


def check_lottery(work_dir: Path) -> List[str]:
    """What was checked, a line per file."""
    path = work_dir / paths.LOTTERY
    lottery = read_lottery(path)
    rounds, static = lottery['rounds'], settings_of(lottery).get('update') is None
    done = sum(entry['status'] == 'done' for entry in rounds)
    lines, ticket = [f'{path}: valid, {done} of {len(rounds)} rounds are done'], None
    trained: List[Path] = []
    for entry in rounds:
        folder = paths.round_dir(work_dir, entry['round'])
        if entry['status'] == 'done':
            check_files(work_dir, entry)
        if folder.is_dir():
            found, ticket = check_folder(folder, ticket, static)
            lines += found
            if ticket and entry.get('ticket_digest') not in (None, ticket.digest()):
                raise Violation(
                    f'{folder / paths.TICKET} is not the ticket that round {entry["round"]} was '
                    f'begun with, by its digest in {paths.LOTTERY}; --resume trains it anew')
        if entry['status'] == 'done':
            if entry.get('given'):
                lines += check_given(folder, entry['given'])
            else:
                check_seeds(folder, entry['round'], lottery)
                trained.append(folder)
            last = trained_ticket(folder, ticket) if entry['round'] else None
            mask = last.mask if last else {}
            zeros = masks.pruned(masks.with_copies(mask, noted_copies(folder)))
            network = check_sparsity_report(folder / paths.SPARSITY, mask, zeros)
            check_entry(path, entry, network, mask, zeros)
            check_compute(path, entry, last)
            lines.append(f'{folder / paths.SPARSITY}: agrees with the masks and {paths.LOTTERY}')
    lines += [f'{folder / paths.FINAL}: {check_end(folder)}' for folder in trained]
    return lines + check_noise(paths.round_dir(work_dir, rounds[-1]['round']), lottery)


def trained_ticket(folder: Path, ticket: Optional[Ticket]) -> Optional[Ticket]:
    """The ticket with the masks that a finished round has ended with."""
    path = folder / paths.FINAL
    if ticket is None or not path.is_file():
        return ticket
    checkpoint = load_checkpoint(path)
    if update_of(checkpoint, path) is None:
        return ticket
    mask, kept = read_masks(checkpoint, path), folder / paths.FINAL_MASK
    if kept.is_file() and masks.digest(Ticket.load(kept).mask) != masks.digest(mask):
        raise Violation(f'{kept}: its masks are not those of {path}')
    return replace(ticket, mask=mask)


def noted_copies(folder: Path) -> Dict[str, str]:
    """The names of the mean teacher's weights in what a finished round has ended with."""
    path = folder / paths.FINAL
    return copies_of(load_checkpoint(path), path) if path.is_file() else {}


def check_files(work_dir: Path, entry: Dict[str, Any]) -> None:
    """What a finished round names is its own, and there, in the noted size."""
    if entry['round'] and not entry.get('ticket'):
        raise Violation(f'{work_dir / paths.LOTTERY}: round {entry["round"]} is done, but '
                        'names no ticket')
    for key, usual in (('checkpoint', paths.FINAL), ('ticket', paths.TICKET)):
        name, size = entry.get(key), entry.get(f'{key}_bytes')
        if name is None:
            continue
        path, own = work_dir / name, paths.round_dir(work_dir, entry['round']) / usual
        if not path.is_file():
            raise Violation(f'{path} is missing; {paths.LOTTERY} names it as the {key} of '
                            f'round {entry["round"]}')
        if path != own:
            raise Violation(f'{work_dir / paths.LOTTERY}: the {key} of round {entry["round"]} is '
                            f'{name}, expected {own.relative_to(work_dir)}')
        if size is not None and path.stat().st_size != size:
            raise Violation(f'{path} has {path.stat().st_size} bytes, {paths.LOTTERY} notes '
                            f'{size} as {key}_bytes of round {entry["round"]}')


def check_entry(path: Path, entry: Dict[str, Any], network: int,
                mask: Mapping[str, Tensor], zeros: int) -> None:
    """The chain's sparsities are those of the ticket, of a model with so many weights and zeros."""
    for key, count, pruned in (('scope_sparsity', masks.size(mask), masks.pruned(mask)),
                               ('network_sparsity', network, zeros)):
        if entry[key] != (pruned / count if count else 0.0):
            raise Violation(f'{path}: {key} of round {entry["round"]} is {entry[key]}, but '
                            f'{pruned} of {count} weights are pruned')


def check_compute(path: Path, entry: Dict[str, Any], ticket: Optional[Ticket]) -> None:
    """The chain's compute sparsity is that of a ticket that was drawn by multiply-adds."""
    found = entry.get('compute_sparsity')
    if ticket is not None and found is not None and 'costs' in ticket.meta:
        expected = compute_sparsity(ticket.mask, noted_costs(path, ticket))
        if found != expected:
            raise Violation(f'{path}: compute_sparsity of round {entry["round"]} is {found}, by '
                            f'the ticket it is {expected}')


def check_sparsity_report(path: Path, mask: Mapping[str, Tensor], zeros: int) -> int:
    """``sparsity.json`` counts what the masks prune, per layer, group and in all.

    Args:
        path: The file.
        mask: The masks.
        zeros: How many zeros the network has by them, in averaged copies too.

    Returns:
        int: How many weights the whole network has.
    """
    try:
        report = read_json(path)
        layers = {row['name']: row for row in report['layers']}
        groups = {row['name']: row for row in report['groups']}
        rows = [(report['scope'], masks.size(mask), masks.pruned(mask)),
                (report['network'], report['network']['weights'], zeros)]
        rows += [(row, mask[name].numel(), int((~mask[name]).sum()))
                 for name, row in layers.items() if name in mask]
        for name, row in groups.items():
            own = {n: m for n, m in mask.items() if layers[n]['group'] == name}
            rows.append((row, masks.size(own), masks.pruned(own)))
        if set(layers) != set(mask):
            raise Violation(f'{path}: it has {len(layers)} layers, the ticket {len(mask)}')
        for row, weights, zeros in rows:
            _check_row(path, row, weights, zeros)
        return report['network']['weights']
    except Violation:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Violation(
            f'{path} cannot be read ({type(error).__name__}: {error})') from None


def _check_row(path: Path, row: Mapping[str, Any], weights: int, zeros: int) -> None:
    expected = dict(weights=weights, zeros=zeros, sparsity=zeros / weights if weights else 0.0)
    for key, value in expected.items():
        if type(row[key]) is bool or row[key] != value:
            raise Violation(f'{path}: {key} of {row["name"]} is {row[key]}, by the masks it '
                            f'is {value}')
