"""``study.json``: what a study consists of, for whoever reads its results.

The root (``--work-dir``) holds the runs of any number of studies, and a folder per study::

    ROOT/
      dense/                  dense trainings, shared
      runs/NAME/              lotteries, shared: ordinary work dirs with a lottery.json
      STUDY/study.json        this file; beside it the results and the analysis

Content of ``study.json``, version 1:

* ``version``: 1; ``name``: the study file's name without suffix; ``paper``: the table or figure
  of the paper it repeats, as ``'Fig. 2a'``, or ``''``; ``seeds``: all seeds, sorted;
  ``metrics``: the names of all metrics, as the evaluators give them and ``lottery.json`` has
  them, in order.
* ``parts``: part -> list of ``{run, settings}``, in the order of the study file. ``run`` is a key
  of ``runs``; ``settings`` holds the values of this part's axes and ``seed`` (``base``, where it
  is an axis, as the bare name of the config). A run may stand in several parts.
* ``sources``: name -> ``{settings, runs}``: the lotteries that others start from; ``runs`` is
  seed of what needs it (as a string) -> run. A setting says ``'{name}/round_1/final.pth'``.
* ``runs``: run -> ``{folder, base, seed, metrics, dense, sources}``, every expected run, finished
  or not. ``folder`` is relative to ``study.json``; ``metrics`` are those to compare for this run;
  runs with the same ``dense`` have the same dense training (round 0; one that a hook cut short,
  an :class:`EarlyBirdHook` or another, is not it: its ``iterations`` are below
  ``planned_iterations``); ``sources`` is name -> run.

A run is finished when all rounds in its ``lottery.json`` are ``done``.
"""
from pathlib import Path
from typing import Any, Dict

from mmlth.core.files import write_json

from .settings import plain
from .study import Run, Study

DESCRIPTION = 'study.json'


def write_description(study: Study, root: Path) -> Path:
    """Write the study's ``study.json``; return its path."""
    path = Path(root) / study.name / DESCRIPTION
    write_json(path, describe(study))
    return path


def describe(study: Study) -> Dict[str, Any]:
    """The content of ``study.json``."""
    parts: Dict[str, Any] = {part: [] for part in study.parts}
    for part, combinations in study.parts.items():
        for settings in combinations:
            run = next(r for r in study.runs if r.parts.get(part) == settings)
            parts[part].append(dict(
                run=run.name, settings={key: plain(value) for key, value in settings.items()}))
    sources = {
        name: dict(runs={str(seed): run.name for seed, run in sorted(runs.items())},
                   settings=plain(study.source_settings[name]))
        for name, runs in study.sources.items()}
    runs = study.all_runs
    return dict(
        version=1, name=study.name, paper=study.paper,
        seeds=sorted({run.seed for run in study.runs}),
        metrics=list(dict.fromkeys(m for run in study.runs for m in run.metrics)),
        parts=parts, sources=sources, runs={run.name: _run(run) for run in runs})


def _run(run: Run) -> Dict[str, Any]:
    return dict(folder=f'../runs/{run.name}', base=run.base, seed=run.seed, metrics=run.metrics,
                dense=run.dense,
                sources={name: source.name for name, source in run.sources.items()})
