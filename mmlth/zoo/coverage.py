"""Check every config of the libraries: each distinct model and optimizer once."""
import importlib
import logging
import tempfile
import warnings
from collections import Counter, defaultdict
from typing import Callable, Dict, List, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmlth.core.errors import UserError, check_count

from .light import working_in
from .listing import library_root, list_configs
from .model_check import averaging, check_model
from .pool import run_each
from .result import FAILED, NO_MODEL, NOT_BUILT, PASSED, Result, reason_of
from .settings_check import check_lottery_settings, expected_refusal

# Imported once; the processes that check the models are forked.
_MODULES = ('datasets', 'models', 'engine', 'evaluation', 'visualization')


def coverage(libraries: Sequence[str], override: str, pattern: str = '', jobs: int = 1,
             earlier: Sequence[Result] = (), timeout: float = 600,
             say: Callable[[str], None] = print,
             save: Callable[[List[Result]], None] = lambda results: None) -> List[Result]:
    """Check the configs of ``libraries`` whose names match ``pattern``.

    The override and the rounds are checked of every config. A model is built once for all
    configs that have the same, and a ticket drawn once for all whose networks are equal
    (:func:`mmlth.zoo.model_check.signature`).

    Args:
        libraries: ``'mmdet'``, ``'mmpose'`` or both.
        override: The override's file.
        pattern: A regular expression. Default: all configs.
        jobs: Models that are checked at a time. Default: 1.
        earlier: Results of a run that was interrupted or had failures: models that were
            checked then, and passed or could not be built, are not checked again.
        timeout: Seconds for one model. Default: 600.
        say: Is told of the progress. Default: print.
        save: Gets the results so far, now and then. Default: nothing.

    Returns:
        list[Result]: One for each config, in the order of their names.

    Raises:
        UserError: ``jobs`` is no whole number of at least 1, a library is not there, or no config
            matches.
    """
    check_count('jobs', jobs)
    listed = {library: list_configs(library, pattern) for library in libraries}
    if not any(listed.values()):
        raise UserError(f'no config of {", ".join(libraries)} has a name that {pattern!r} is found '
                        'in')
    results, groups = [], defaultdict(list)     # type: List[Result], Dict[tuple, List[Result]]
    quiet()
    torch.set_num_threads(1)    # a forked process waits for ever for the threads of its parent
    for library, names in listed.items():
        preload(library)
        with working_in(library_root(library)):
            for name in names:
                result, key = outline(library, name, override)
                results.append(result)
                if key:
                    groups[library, key].append(result)
        say(f'{library}: {len(names)} configs read')
    known = {(r.library, r.name): r for r in earlier if r.checked and r.status != FAILED}
    waiting = []
    for group in groups.values():
        found = next((known[r.library, r.name] for r in group if (r.library, r.name) in known),
                     None)
        if found is None:
            waiting.append(group)
        else:
            adopt(group, found)

    def save_known() -> None:
        save([r for r in results if r.checked or r.status in (NOT_BUILT, NO_MODEL)])

    signatures = {r.signature: r.checked for r in known.values()
                  if r.signature and r.status == PASSED}
    check_groups(in_turn(waiting), override, signatures, jobs, timeout, say, save_known)
    return results


def in_turn(groups: Sequence[List[Result]]) -> List[List[Result]]:
    """The first group of each family, then the second of each: failures show early."""
    seen: Counter = Counter()
    turns: List[Tuple[int, int, List[Result]]] = []
    for group in groups:
        family = group[0].library, group[0].family
        turns.append((seen[family], len(turns), group))
        seen[family] += 1
    return [group for *_, group in sorted(turns, key=lambda turn: turn[:2])]


def outline(library: str, name: str, override: str) -> Tuple[Result, str]:
    """The result of a config so far, and what its model and optimizer are known by."""
    try:
        stock = Config.fromfile(f'configs/{name}')
    except Exception as error:
        return Result(library, name, NOT_BUILT, reason_of(error)), ''
    if not stock.get('model'):
        return Result(library, name, NO_MODEL, 'has no model'), ''
    status, reason = check_lottery_settings(stock, library, name, override)
    return Result(library, name, status, reason), fingerprint(stock)


def fingerprint(stock: Config) -> str:
    """Equal for configs whose models and optimizers have the same parameters and settings.

    Pretrained weights and settings of the inference make no difference here.
    """
    model = {k: v for k, v in stock.model.items() if k not in ('test_cfg', 'init_cfg')}
    if isinstance(model.get('backbone'), dict):
        model['backbone'] = {k: v for k, v in model['backbone'].items() if k != 'init_cfg'}
    parts = [stock.get('default_scope'), model, stock.get('data_preprocessor'),
             stock.get('optim_wrapper'), expected_refusal(stock), averaging(stock)]
    return repr(parts)


def check_groups(groups: Sequence[List[Result]], override: str, known: Dict[str, str],
                 jobs: int, timeout: float, say: Callable[[str], None],
                 save: Callable[[], None]) -> None:
    """Check the first of each group; its outcome is that of the others.

    ``known`` (signature -> config) grows with each network that passes.
    """
    with tempfile.TemporaryDirectory(prefix='zoo_') as folder:
        # The processes are forked one by one: each has ``known`` as it is by then.
        tasks = [(g[0].library, g[0].name, override, folder, known) for g in groups]
        for done, (number, found, problem, seconds) in enumerate(
                run_each(check_in_folder, tasks, jobs, timeout), 1):
            group, (library, name, *_) = groups[number], tasks[number]
            found = found or Result(library, name, FAILED, problem, checked=name)
            found.seconds = round(seconds, 1)
            if found.status == PASSED:
                known.setdefault(found.signature, found.checked)
            adopt(group, found)
            say(f'{done}/{len(groups)} {library} {name}: {found.status} {found.reason} '
                f'({seconds:.0f} s, for {len(group)} configs)')
            if done % 20 == 0:
                save()


def check_in_folder(library: str, name: str, override: str, folder: str,
                    known: Dict[str, str]) -> Result:
    """:func:`check_model` in a folder of its own below ``folder``."""
    with tempfile.TemporaryDirectory(dir=folder) as work_dir:
        return check_model(library, name, override, work_dir, known)


def adopt(group: Sequence[Result], found: Result) -> None:
    """Take over what was found of the model, unless a config itself failed before."""
    for result in group:
        if found.status == NOT_BUILT or result.status == PASSED:
            result.status, result.reason = found.status, found.reason
        for key in ('checked', 'signature', 'scope_weights', 'network_weights', 'in_scope',
                    'left_out', 'seconds'):
            setattr(result, key, getattr(found, key))


def preload(library: str) -> None:
    """Import the library's modules."""
    for module in _MODULES:
        importlib.import_module(f'{library}.{module}')


def quiet() -> None:
    """Only errors are told of: a thousand models have much to say."""
    warnings.filterwarnings('ignore')
    MMLogger.get_instance('mmengine', log_level='ERROR')
    logging.getLogger('mmengine').setLevel(logging.ERROR)

