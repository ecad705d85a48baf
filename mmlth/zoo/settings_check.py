"""What is checked of each config without its model: the override and the rounds."""
from typing import List, Tuple

from mmengine.config import Config

from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.engine import PruneHook, RewindHook, TicketHook
from mmlth.engine.chain.preflight import check_settings, wrappers_of
from mmlth.engine.chain.rounds import keeps_workers, round_config
from mmlth.engine.config import load_config
from mmlth.engine.hook_configs import find_hook

from .result import FAILED, NOT_TRAINED, PASSED, REFUSED, reason_of

# A lottery leaves these as the config has them, in every round; but for workers that live on.
_KEPT = ('model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'val_evaluator',
         'train_cfg', 'val_cfg', 'param_scheduler', 'custom_hooks', 'env_cfg', 'default_scope',
         'auto_scale_lr', 'custom_imports')


def check_lottery_settings(stock: Config, library: str, name: str,
                           override: str) -> Tuple[str, str]:
    """Merge the override and derive the rounds; the status and its reason.

    Args:
        stock: The config as it is shipped.
        library: ``'mmdet'`` or ``'mmpose'``.
        name: Its name.
        override: The override's file.
    """
    expected = expected_refusal(stock)
    try:
        rounds = derive_rounds(library, name, override)
    except UserError as error:
        return expected or FAILED, str(error)
    except Exception as error:
        return FAILED, f'the rounds cannot be derived: {reason_of(error)}'
    if expected:
        return FAILED, f'it is {expected}, but check_config lets it pass'
    problems = [p for index, cfg in enumerate(rounds) for p in changes(stock, cfg, index)]
    return (FAILED, '; '.join(problems)) if problems else (PASSED, '')


def expected_refusal(stock: Config) -> str:
    """The status of a config that no lottery can train, which must be refused; or ''."""
    if not all(stock.get(key) for key in ('train_cfg', 'train_dataloader', 'optim_wrapper')):
        return NOT_TRAINED
    return REFUSED if wrappers_of(stock.optim_wrapper) else ''


def derive_rounds(library: str, name: str, override: str,
                  work_dir: AnyPath = 'work_dir') -> List[Config]:
    """The configs of all rounds, as a LotteryRunner derives them, with no file written."""
    cfg = load_config(f'{library}::{name}', override)
    spec = check_settings(cfg)
    return [round_config(cfg, spec, work_dir, index, seed=0) for index in range(spec.rounds + 1)]


def changes(stock: Config, cfg: Config, index: int) -> List[str]:
    """What a round's config has lost or changed that the override does not name."""
    kept = {key: stock[key] for key in _KEPT if key in stock}
    if keeps_workers(stock):
        kept['train_dataloader'] = {**stock.train_dataloader, 'persistent_workers': False}
    problems = [f'round {index} changes {key}' for key in kept if cfg.get(key) != kept[key]]
    lost = set(stock.get('default_hooks') or {}) - set(cfg.default_hooks)
    problems += [f'round {index} loses the hook {key}' for key in sorted(lost)]
    own = {k: v for k, v in stock.optim_wrapper.items() if k != 'type'}
    if {k: cfg.optim_wrapper.get(k) for k in own} != own:
        problems.append(f'round {index} changes optim_wrapper')
    ours = {PruneHook: index == 0, RewindHook: index == 0, TicketHook: index > 0}
    problems += [f'round {index} {"lacks" if wanted else "has"} a {hook.__name__}'
                 for hook, wanted in ours.items() if (find_hook(cfg, hook) is None) == wanted]
    return problems
