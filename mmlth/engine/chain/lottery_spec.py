"""What a lottery is set to: its hooks' settings, parsed once."""
import copy
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Dict, Mapping, Optional, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook

from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration

from ..hook_configs import arguments_of, build_hook, class_of, default_hooks, find_hook
from ..hooks import EarlyBirdHook, PruneHook, RewindHook, TicketHook
from ..specs import EarlyBirdSpec, PruneSpec, RewindSpec
from ..starts import Start
from ..types import name_of
from .same_training import plain_config

_HOOKS = (PruneHook, RewindHook, EarlyBirdHook, TicketHook)
_WHY = {PruneHook: 'to draw tickets', RewindHook: 'to save what they are rewound to'}


@dataclass(frozen=True)
class LotterySpec:
    """The settings of a lottery.

    Args:
        prune: Of its PruneHook.
        rewind: Of its RewindHook.
        early_bird: Of its EarlyBirdHook; None without one.
        settings: Every argument of the three as they have it, flat and in plain values: those of
            the EarlyBirdHook are in ``early_bird``, which is None without one. ``rounds`` is their
            number, also where a list of sparsities says it.
        classes: Of its hooks that are subclasses of ours: the bare name -> ours.
    """
    prune: PruneSpec
    rewind: RewindSpec
    early_bird: Optional[EarlyBirdSpec]
    settings: Mapping[str, Any]
    classes: Mapping[str, str]

    @classmethod
    def of(cls, cfg: Config) -> 'LotterySpec':
        """Of a lottery's config.

        Raises:
            UserError: A hook is missing, there are several, or an argument is unknown or wrong.
        """
        (_, prune), (_, rewind) = needed_hook(cfg, PruneHook), needed_hook(cfg, RewindHook)
        early_bird = build_hook(cfg, EarlyBirdHook)
        given = {**prune.given, 'rounds': prune.spec.rounds, **rewind.given,
                 'early_bird': early_bird and early_bird.given}
        classes = {}
        for kind in _HOOKS:
            hook = find_hook(cfg, kind)
            if hook is not None and class_of(cfg, hook) is not kind:
                classes[name_of(hook.get('type'))] = kind.__name__
        return cls(prune.spec, rewind.spec, early_bird and early_bird.spec,
                   plain_config(Config(given)), classes)

    @property
    def rounds(self) -> int:
        """Number of the last round."""
        return self.prune.rounds

    @property
    def shares_dense(self) -> bool:
        """Whether round 0 is an ordinary dense training, of which only the end matters."""
        return (self.early_bird is None and self.prune.dense is True
                and not self.prune.source(0).of_the_start)

    def start(self, round: int) -> Start:
        """What a round starts from, from round 1 on."""
        return self.prune.start(round, self.rewind.start)

    def check(self, cfg: Config) -> None:
        """Raise a UserError for what the lottery would miss later, or what contradicts itself.

        Args:
            cfg: The lottery's config.
        """
        source, rewind = self.prune.source(0), self.rewind
        if self.early_bird is not None and source.at_start:
            raise UserError(
                'EarlyBirdHook watches a mask that is drawn of the weights as they train, but '
                'that of this PruneHook is there before them (transfer=..., or a mask drawn at the '
                "start): draw it at='end', or leave the hook out")
        source.check(cfg)
        for start in dict.fromkeys([self.start(1), self.start(self.rounds)]):
            start.check(cfg, rewind)
        self._check_update(cfg)
        late = rewind.start.rewinds and rewind_iteration(rewind.to, 2**62, 1) > 0
        if not self.prune.dense and late:
            raise UserError(
                f"PruneHook(dense=False) trains no dense model, so that there is no rewind point "
                f"{rewind.to!r}: set RewindHook(to='0it')")

    def _check_update(self, cfg: Config) -> None:
        """See that the mask's updates are within the ticket's training."""
        if self.prune.update is not None:
            trained = copy.deepcopy(cfg)
            default_hooks(trained)['ticket'] = ConfigDict()
            self.start(1).adapt(trained, self.rewind, Path())
            self.prune.update.check_length(trained.train_cfg)
            self.prune.update.check_steps(cfg.optim_wrapper.get('accumulative_counts', 1))

    def text(self) -> str:
        """What is pruned, how, and what the tickets start from, in sentences."""
        start, control, point = self.rewind.start, self.prune.control, self.rewind.point
        origin = f'{start.words} the rewind point {self.rewind.to}'
        if point is not None:
            origin = f'{start.words} the rewind point {PurePath(point).name}'
        elif self.prune.given is not None:      # nobody has saved one, and nothing asks for it
            origin = 'its trained weights'
        text = (f'{self.prune.source(0).words()} A ticket starts from {origin}; '
                f'schedule: {start.length or self.rewind.schedule}.')
        if self.rewind.noise is not None:
            text += (f' The last round has the SGD noise {self.rewind.noise}: its data order and '
                     'augmentation are not those of the dense training.')
        if self.prune.update is not None:
            text += f' The mask changes within the training: {self.prune.update.text()}.'
        if control is not None:
            text += f' This is a control, not a ticket: the last round is {control.name!r}.'
        return text


def settings_of(lottery: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings of a lottery, as :class:`LotterySpec` has them, from its ``lottery.json``.

    No hook and no method is built, and nothing is imported: the packages that it was trained with
    may not be here. Older files have no ``spec``; then the arguments of the hooks in their
    ``config`` count, and what it leaves out has the defaults of our classes. A list of sparsities
    says the number of rounds: older files may have 1 beside it.
    """
    spec, hooks = lottery.get('spec') or {}, hook_settings(lottery)
    found: Dict[str, Any] = {}
    for kind in (PruneHook, RewindHook):
        given = {**hooks.get(kind.__name__, {}), **spec}
        found.update({key: given.get(key, default) for key, default in arguments_of(kind).items()})
    if isinstance(found['sparsity'], list):
        found['rounds'] = len(found['sparsity'])
    early_bird = spec.get('early_bird', hooks.get(EarlyBirdHook.__name__))
    found['early_bird'] = early_bird and {
        key: early_bird.get(key, default) for key, default in arguments_of(EarlyBirdHook).items()}
    return found


def hook_settings(lottery: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
    """The hooks of ours in the config of a ``lottery.json``: our class -> arguments."""
    config, classes = lottery['config'], lottery.get('hooks') or {}
    found = {}
    for hook in [*(config.get('default_hooks') or {}).values(),
                 *(config.get('custom_hooks') or [])]:
        if isinstance(hook, dict) and 'type' in hook:
            # Classes of pure Python configs are "<class 'mmlth.engine.PruneHook'>".
            name = str(hook['type']).rstrip("'>").rpartition('.')[2]
            found[classes.get(name, name)] = hook
    return {kind.__name__: found[kind.__name__] for kind in _HOOKS if kind.__name__ in found}


def needed_hook(cfg: Config, kind: type, **more: Any) -> Tuple[ConfigDict, Hook]:
    """The PruneHook or RewindHook of a lottery: its config, not a copy, and the hook it makes.

    Args:
        cfg: The lottery's config, or a round's that has the hook.
        kind: Which of the two.
        more: Further arguments, over the config's.

    Raises:
        UserError: There is none, there are several, or an argument is unknown or wrong.
    """
    given, hook = find_hook(cfg, kind), build_hook(cfg, kind, **more)
    if given is None:
        raise UserError(
            f'LotteryRunner needs a {kind.__name__} {_WHY[kind]}; add '
            f"dict(type='mmlth.{kind.__name__}', ...) to default_hooks")
    return given, hook
