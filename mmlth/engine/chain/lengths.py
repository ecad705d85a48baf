"""How long the rounds of a lottery were trained, and which ended before their schedule."""
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration

from ..hook_configs import build_hook, class_of, find_hook
from ..hooks import EarlyBirdHook, PruneHook, RewindHook

# Settings of a RewindHook under which a ticket goes on from its trained weights.
_GOES_ON = ('lr', 'finetune')


@dataclass(frozen=True)
class Length:
    """Iterations of a round; None where the rewind point's iteration is not known.

    Args:
        own: That the round itself has trained. One that resumes the schedule at the rewind
            point has not trained those before it.
        from_start: Of its weights since their initialisation: up to the rewind point and from
            there, or through all rounds where they are not rewound.
        chain: Of all rounds that lead to it, itself included: what it costs.
    """
    own: Optional[int]
    from_start: Optional[int]
    chain: Optional[int]


def lengths(rounds: Sequence[Mapping[str, Any]], cfg: Config) -> List[Length]:
    """How long each round was trained.

    Args:
        rounds: Of a ``lottery.json``, finished.
        cfg: The lottery's config.
    """
    prune, rewind = (build_hook(cfg, kind) or kind() for kind in (PruneHook, RewindHook))
    point, mode, control = rewound_to(rounds, cfg), rewind.mode, prune.given['control']
    resumes = rewind.schedule == 'resume' and mode != 'finetune'
    found: List[Length] = []
    for entry in rounds:
        index, own = entry['round'], entry.get('iterations', 0)
        afresh = control == 'fresh_weights' and index == len(rounds) - 1
        if index == 0 or afresh:
            start: Optional[int] = 0
        elif mode in _GOES_ON or control == 'dense':
            start = found[-1].from_start
        else:
            start = point
        if index > 0 and resumes and not afresh:
            own = None if point is None else max(0, own - point)
        found.append(Length(own, _sum(start, own), _sum(found[-1].chain if found else 0, own)))
    return found


def rewound_to(rounds: Sequence[Mapping[str, Any]], cfg: Config) -> Optional[int]:
    """The iteration of the rewind point.

    None where an older version has not noted it and it is a number of epochs in an
    iteration-based training: how many iterations such an epoch has is not in the work dir.
    """
    noted = rounds[0].get('rewind_iteration')
    if noted is not None:
        return noted
    to = str((build_hook(cfg, RewindHook) or RewindHook()).to).strip()
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    total = rounds[0].get('planned_iterations', 0)
    if to.endswith('ep') and not epochs:
        return 0 if to == '0ep' else None
    try:
        return rewind_iteration(to, total, round(total / epochs) if epochs else 1)
    except UserError:       # it lies behind an end that is not noted either
        return None


def ended_early(entry: Mapping[str, Any]) -> bool:
    """Whether a round was trained, but not as long as its schedule says."""
    return 0 < entry.get('iterations', 0) < entry.get('planned_iterations', 0)


def ended_by(entry: Mapping[str, Any], cfg: Config) -> str:
    """What has ended a round early, in words: a hook's class, as far as it is known."""
    return entry.get('ended_by') or (
        'EarlyBirdHook' if ended_by_early_bird(entry, cfg) else 'a hook that was not noted')


def ended_by_early_bird(entry: Mapping[str, Any], cfg: Config) -> bool:
    """Whether a round was ended with the mask of an early-bird ticket."""
    hook = build_hook(cfg, EarlyBirdHook)
    if not ended_early(entry) or hook is None or not hook.stop:
        return False
    name = class_of(cfg, find_hook(cfg, EarlyBirdHook)).__name__
    # Older versions noted none; there it is the hook that was told to.
    return entry.get('ended_by') in (None, name)


def name_of(entry: Dict[str, Any]) -> str:
    """What a round is called where rounds are compared: its number, and if it is dense."""
    words = [] if entry['round'] else ['dense' if entry.get('iterations') else 'not trained']
    words += ['ended early'] if ended_early(entry) else []
    return f'{entry["round"]} ({", ".join(words)})' if words else str(entry['round'])


def _sum(*parts: Optional[int]) -> Optional[int]:
    return None if None in parts else sum(parts)
