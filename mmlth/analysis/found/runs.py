"""Find finished lotteries and read them."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.lengths import (Length, ended_by, ended_by_early_bird, ended_early,
                                        lengths, rewound_to)
from mmlth.engine.chain.lottery_spec import settings_of
from mmlth.engine.chain.state import read_json, read_lottery

from .labels import data_label, method_label, model_label, source_label
from .names import name_of, names_apart
from .run import Round, Run
from .trainings import given_settings, read_config, training_hash

STUDY = 'study.json'       # what a study expects; its runs are beside its folder


@dataclass
class Found:
    """What was found: finished runs, and why others are left out (name -> reason)."""
    runs: List[Run]
    left_out: Dict[str, str]


def find_runs(work_dirs: Sequence[Union[str, Path]]) -> Found:
    """Read lotteries and studies.

    Args:
        work_dirs: Work dirs of lotteries; of a study, with its ``study.json``; or what holds
            the ``runs`` of studies.

    Raises:
        UserError: A folder is neither, a lottery's file is damaged, or nothing is finished.
    """
    folders: Dict[Path, Tuple[Path, Optional[str]]] = {}
    for work_dir in map(Path, work_dirs):
        for folder, study in _lotteries(work_dir):
            folders.setdefault(folder.resolve(), (folder, study))
    names = names_apart({folder: name_of(folder, study) for folder, study in folders.values()})
    found = Found([], {})
    kinds: Dict[tuple, Run] = {}
    for folder, study in folders.values():
        _add(found, kinds, folder, study, names[folder])
    if not found.runs:
        raise UserError(
            'there is no finished lottery in ' + ', '.join(map(str, work_dirs)) + ': '
            + ('; '.join(f'{n}: {why}' for n, why in list(found.left_out.items())[:5])
               or 'no folder was given'))
    return found


def read_run(folder: Union[str, Path]) -> Run:
    """One finished lottery.

    Raises:
        UserError: There is none, it is damaged, or not finished.
    """
    run = _read(Path(folder), None)
    if isinstance(run, str):
        raise UserError(f'{folder}: {run}; continue it with tools/train.py --resume')
    return run


def _add(found: Found, kinds: Dict[tuple, Run], folder: Path, study: Optional[str],
         name: str) -> None:
    try:
        run = _read(folder, study)
    except UserError as error:
        run = str(error)
    if isinstance(run, str):
        found.left_out[name] = run
        return
    run.name = name
    kind = run.kind, run.seed, run.dense.given_digest
    same = kinds.setdefault(kind, run)
    if same is run:
        found.runs.append(run)
        return
    if run.settings['early_bird'] and not same.settings['early_bird']:
        # The one with the curve of early masks is kept.
        found.runs[found.runs.index(same)] = kinds[kind] = run
        run, same = same, run
    found.left_out[run.name] = f'the same lottery as {same.name}, which counts once'


def _lotteries(work_dir: Path) -> List[Tuple[Path, Optional[str]]]:
    """Pairs of a lottery's folder and its study's name."""
    if (work_dir / paths.LOTTERY).is_file():
        return [(work_dir, None)]
    name = work_dir.resolve().name
    if (work_dir / STUDY).is_file():
        return [(folder, name) for folder in _study_folders(work_dir / STUDY)]
    folders = sorted(f for f in (work_dir / 'runs').glob('*') if f.is_dir())
    if not folders:
        raise UserError(
            f'{work_dir} is no work dir of a lottery or a study: expected {paths.LOTTERY}, '
            f'{STUDY} or runs/*/{paths.LOTTERY} there'
            + ('' if work_dir.is_dir() else ', but there is no such folder'))
    return [(folder, name) for folder in folders]


def _study_folders(path: Path) -> List[Path]:
    """The folders of all runs that a study expects."""
    try:
        runs = read_json(path)['runs']
        return [path.parent / run['folder'] for run in runs.values()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError,
            RecursionError) as error:
        raise UserError(f'{path} cannot be read ({type(error).__name__}: {error}); write it anew '
                        'with tools/study.py') from None


def _read(folder: Path, study: Optional[str]) -> Union[Run, str]:
    """The run, or why it is left out.

    Raises:
        UserError: Its file is damaged, or of another make.
    """
    if study and not (folder / paths.LOTTERY).is_file():
        return 'not begun'
    try:
        return _finished(folder, study)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f'{folder / paths.LOTTERY} is not what mmlth writes '
                        f'({type(error).__name__}: {str(error):.200})') from None


def _finished(folder: Path, study: Optional[str]) -> Union[Run, str]:
    lottery = read_lottery(folder / paths.LOTTERY)
    waiting = [e['round'] for e in lottery['rounds'] if e['status'] != 'done']
    if waiting:
        return f'not finished: round {waiting[0]} of {len(lottery["rounds"]) - 1} is to be done'
    cfg, settings = read_config(lottery), settings_of(lottery)
    told, given = (settings, lottery.get('hooks') or {}), lottery['rounds'][0].get('given')
    if settings['transfer']:
        settings['transfer']['label'] = source_label(settings['transfer'], folder.parent)
    return Run(
        folder=folder, model=model_label(cfg.get('model') or {}), data=data_label(cfg),
        seed=(cfg.get('randomness') or {}).get('seed'), method=method_label(settings),
        settings={**settings, **given_settings(given)},
        training=training_hash(cfg),
        rounds=[_round(folder, entry, length, *told) for entry, length in zip(
            lottery['rounds'], lengths(lottery['rounds'], settings, cfg))],
        cfg=cfg, rewound_to=rewound_to(lottery['rounds'], settings, cfg), study=study)


def _round(folder: Path, entry: Mapping[str, Any], length: Length, settings: Mapping[str, Any],
           classes: Mapping[str, str]) -> Round:
    ticket, given = entry.get('ticket'), (entry.get('given') or {}).get('dense', {})
    return Round(
        index=entry['round'], folder=paths.round_dir(folder, entry['round']),
        checkpoint=folder / entry['checkpoint'], ticket=folder / ticket if ticket else None,
        metrics=entry.get('metrics') or {}, scope_sparsity=entry['scope_sparsity'],
        network_sparsity=entry['network_sparsity'],
        compute_sparsity=entry.get('compute_sparsity'), latency=entry.get('latency'),
        iterations=entry.get('iterations', 0),
        planned_iterations=entry.get('planned_iterations', 0), length=length,
        ended_by=ended_by(entry, settings, classes) if ended_early(entry) else None,
        found_early=ended_by_early_bird(entry, settings, classes),
        given=given.get('file'), given_digest=given.get('sha256'),
        processes=entry.get('processes'), seconds=entry.get('seconds', 0.0),
        checkpoint_bytes=entry.get('checkpoint_bytes'), ticket_bytes=entry.get('ticket_bytes'))
