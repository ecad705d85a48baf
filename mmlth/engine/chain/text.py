"""What the report of a chain says in sentences: settings, early ends, unequal lengths."""
from typing import Any, Dict, List, Sequence

from mmengine.config import Config

from .lengths import ended_by, ended_by_early_bird, ended_early, is_trained, lengths
from .lottery_spec import LotterySpec

_COLUMNS_TEXT = (
    'Iterations are those of the round itself; "from start" counts all that its weights were '
    'trained since their initialisation, up to the rewind point and from there; "whole chain" '
    'those of all rounds up to it.')


def texts(rounds: Sequence[Dict[str, Any]], cfg: Config, spec: LotterySpec) -> List[str]:
    """All paragraphs."""
    found = ['Scope sparsity counts the weights in scope, network sparsity all parameters, compute '
             'sparsity the multiply-adds of the weights in scope on the first validation image '
             '("-": the model did not run on it, the log says why). '
             + spec.text()]
    if any(entry.get('latency') for entry in rounds):
        found.append(
            'Dense and sparse ms: one image of the validation data on the CPU, with one thread, as '
            'this machine ran it when the lottery ended; dense in the faster of two memory '
            'layouts, batch norms folded in both.')
    if not is_trained(rounds[0]):
        found.append('The dense model was not trained: the mask was drawn before.')
    return [*found, *given_texts(rounds), *endings(rounds, spec), *budgets(rounds, cfg, spec),
            *batches(rounds), _COLUMNS_TEXT]


def given_texts(rounds: Sequence[Dict[str, Any]]) -> List[str]:
    """Says of a dense model that was not trained here where it is from, and what it tells."""
    given = rounds[0].get('given')
    if not given:
        return []
    dense, point = given['dense'], given.get('rewind')
    text = (f'Round 0 is given: {dense["file"]}, trained elsewhere{_told(dense)}; here it was '
            'evaluated and pruned, so that its time is that of the evaluation.')
    if dense.get('averaged'):
        text += (' The file holds trained weights and their moving average: masks were drawn of '
                 'the former, the latter was evaluated.')
    if point:
        text += f' The rewind point is given too: {point["file"]}, trained{_told(point)}.'
    return [text]


def _told(note: Dict[str, Any]) -> str:
    """Of the whole training, or up to a point of it."""
    count = note['iterations']
    return (' (how long is not known)' if count is None else
            f' for {count} iterations by its account')


def batches(rounds: Sequence[Dict[str, Any]]) -> List[str]:
    """Says where the number of processes, and with it the effective batch, has changed."""
    counts = {entry['round']: entry.get('processes') for entry in rounds
              if entry.get('processes') and entry['status'] == 'done'}
    if len(set(counts.values())) < 2:
        return []
    listed = ', '.join(f'round {index} by {count}' for index, count in counts.items())
    return [f'Trained by different numbers of processes: {listed}. auto_scale_lr has scaled the '
            'learning rates with the batch; iterations are of different numbers of images.']


def endings(rounds: Sequence[Dict[str, Any]], spec: LotterySpec) -> List[str]:
    """Which rounds ended before their schedule, what ended them, and what follows from it."""
    found, told = [], (spec.settings, spec.classes)
    for entry in filter(ended_early, rounds):
        done, planned = entry['iterations'], entry['planned_iterations']
        text = (f'Round {entry["round"]} was ended by {ended_by(entry, *told)} after {done} of '
                f'{planned} iterations')
        if ended_by_early_bird(entry, *told):
            text += (f', with the early-bird ticket: {planned - done} saved '
                     f'({(planned - done) / planned:.0%} of round 0)')
        if not entry['round']:
            text += '. It is not the dense model as its schedule trains it: no change is given'
        found.append(f'{text}.')
    return found


def budgets(rounds: Sequence[Dict[str, Any]], cfg: Config, spec: LotterySpec) -> List[str]:
    """Says of tickets that were trained longer than the dense model how much longer."""
    dense, *tickets = lengths(rounds, spec.settings, cfg)
    longer = [f'round {entry["round"]} {length.from_start / dense.own:.2f} times'
              for entry, length in zip(rounds[1:], tickets)
              if dense.own and length.from_start and length.from_start > dense.own]
    return ['Trained longer than round 0, from the initialisation on: '
            f'{", ".join(longer)} as long. '
            "With RewindHook(schedule='resume') rewound tickets are trained as long as the dense "
            "model; control='dense' trains that as long as a ticket's chain."] if longer else []
