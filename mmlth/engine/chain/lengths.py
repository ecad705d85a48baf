"""How long the rounds of a lottery were trained, and which ended before their schedule."""
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration

from ..starts import start_kinds

_EARLY_BIRD = 'EarlyBirdHook'


@dataclass(frozen=True)
class Length:
    """Iterations of a round; None where they are not known.

    They are not where those of the rewind point or of a given model are not, or where the start
    is a class of a package that is not here.

    Args:
        own: That the round itself has trained. One that resumes the schedule at the rewind
            point has not trained those before it. Of a given dense model, those of its training
            elsewhere, where its checkpoint tells.
        from_start: Of its weights since their initialisation: up to the rewind point and from
            there, or through all rounds where they are not rewound.
        chain: Of all rounds that lead to it, itself included: what it costs.
    """
    own: Optional[int]
    from_start: Optional[int]
    chain: Optional[int]


def lengths(rounds: Sequence[Mapping[str, Any]], settings: Mapping[str, Any],
            cfg: Mapping[str, Any]) -> List[Length]:
    """How long each round was trained.

    Args:
        rounds: Of a ``lottery.json``, finished.
        settings: The lottery's, :func:`~mmlth.engine.chain.lottery_spec.settings_of`.
        cfg: The lottery's config.
    """
    point = rewound_to(rounds, settings, cfg)
    start: Optional[int] = 0
    found: List[Length] = []
    for entry in rounds:
        index, own = entry['round'], iterations_of(entry)
        if index > 0:
            kinds = start_kinds(settings['mode'], settings['control'], index, len(rounds) - 1)
            last = kinds[-1]
            start = None if last is None else last.trained_before(point, found[-1].from_start)
            if settings['schedule'] == 'resume' and all(
                    kind is None or kind.resumes for kind in kinds):
                own = (None if own is None or point is None or None in kinds
                       else max(0, own - point))
        found.append(Length(own, _sum(start, own), _sum(found[-1].chain if found else 0, own)))
    return found


def rewound_to(rounds: Sequence[Mapping[str, Any]], settings: Mapping[str, Any],
               cfg: Mapping[str, Any]) -> Optional[int]:
    """The iteration of the rewind point.

    None where an older version has not noted it and it is a number of epochs in an
    iteration-based training: how many iterations such an epoch has is not in the work dir.
    """
    noted = rounds[0].get('rewind_iteration')
    if noted is not None or rounds[0].get('given'):
        return noted
    to = str(settings['to']).strip()
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    total = rounds[0].get('planned_iterations', 0)
    if to.endswith('ep') and not epochs:
        return 0 if to == '0ep' else None
    try:
        return rewind_iteration(to, total, round(total / epochs) if epochs else 1)
    except UserError:       # it lies behind an end that is not noted either
        return None


def iterations_of(entry: Mapping[str, Any]) -> Optional[int]:
    """How long a round was trained, elsewhere too; None of a given model that does not tell."""
    return entry['given']['dense']['iterations'] if entry.get('given') else (
        entry.get('iterations', 0))


def is_trained(entry: Mapping[str, Any]) -> bool:
    """Whether a round has a trained model: a round 0 may have drawn a mask alone."""
    return iterations_of(entry) != 0


def ended_early(entry: Mapping[str, Any]) -> bool:
    """Whether a round was trained, but not as long as its schedule says."""
    return 0 < entry.get('iterations', 0) < entry.get('planned_iterations', 0)


def ended_by(entry: Mapping[str, Any], settings: Mapping[str, Any],
             classes: Mapping[str, str]) -> str:
    """What has ended a round early, in words: a hook's class, as far as it is known."""
    found = ended_by_early_bird(entry, settings, classes)
    return entry.get('ended_by') or (_EARLY_BIRD if found else 'a hook that was not noted')


def ended_by_early_bird(entry: Mapping[str, Any], settings: Mapping[str, Any],
                        classes: Mapping[str, str]) -> bool:
    """Whether a round was ended with the mask of an early-bird ticket.

    Args:
        entry: Of the round.
        settings: The lottery's.
        classes: Of its hooks that are subclasses of ours: the name -> ours.
    """
    stop, name = (settings['early_bird'] or {}).get('stop'), entry.get('ended_by')
    # Older versions noted none; there it is the hook that was told to.
    return bool(stop) and ended_early(entry) and (
        name is None or classes.get(name, name) == _EARLY_BIRD)


def name_of(entry: Dict[str, Any]) -> str:
    """What a round is called where rounds are compared: its number, and if it is dense."""
    given = entry.get('given')
    words = [] if entry['round'] else (
        ['given', PurePath(given['dense']['file']).name] if given else
        ['dense' if is_trained(entry) else 'not trained'])
    words += ['ended early'] if ended_early(entry) else []
    return f'{entry["round"]} ({", ".join(words)})' if words else str(entry['round'])


def _sum(*parts: Optional[int]) -> Optional[int]:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
