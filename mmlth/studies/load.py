"""Read a study file: base configs, the settings that vary, and the runs they expand to."""
import itertools
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from mmengine.config import Config

from mmlth.analysis.compare.wording import settings_text
from mmlth.core.errors import UserError

from .bases import Bases
from .settings import (apply_settings, changed, check_keys, fill_sources, run_name, set_out,
                       sources_in)
from .study import Run, Study

_KEYS = {'base', 'lth', 'cfg_options', 'axes', 'seeds', 'metric', 'sources', 'rewind_points',
         'slurm', 'paper'}


def load_study(path: str) -> Study:
    """Read a study file and expand its axes.

    A study file is a Python config with

    * ``base``: a config file, relative to the study file, or ``mmdet::...``;
    * ``axes``: per part of the study, ``{setting: [values]}``; all combinations are run. A
      setting is an argument of ``PruneHook`` or ``RewindHook`` by its name, any dotted config
      key that a training reads, or ``base``, for several models in one part;
    * ``metric``: a name or a list of names; or one of these per base,
      ``{file name without suffix: ...}``, where others' beside them may stand too;
    * ``seeds`` of every run. Default: ``[0]``;
    * ``sources``: lotteries to be run first, ``{name: dict(base=..., setting=value, ...)}``, with
      the seed of what needs them unless ``seed`` is among their settings. In a setting of an
      axis, ``'{name}'`` stands for that run's folder, e.g. ``'{imagenet}/round_1/final.pth'``; a
      source starts from no other source;
    * ``rewind_points``: further values of ``to`` for which the dense trainings keep a rewind
      point, so that other studies in the same work dir can share them; a list, or one per base.
      Default: none;
    * optionally ``lth`` (an override merged over each base), ``cfg_options`` (both also hold for
      a source whose base is one of the study's own; another model may not know them), ``slurm``
      (a dict of sbatch parameters) and ``paper`` (the table or figure it repeats).

    Raises:
        UserError: A key is missing or unknown, a value is no list, a run stands twice in a part, a
            base cannot be told from another or has no metric, or a source needs another.
    """
    if not Path(path).is_file():
        raise UserError(f'there is no study {path}')
    spec = Config.fromfile(path)
    unknown, missing = set(spec.keys()) - _KEYS, {'axes', 'metric'} - set(spec.keys())
    if 'base' not in spec and not all(
            'base' in part for part in spec.get('axes', {}).values() if isinstance(part, dict)):
        missing.add('base')
    if unknown or missing:
        raise UserError(
            f'{path}: a study has base, axes and metric, and may have '
            f'{", ".join(sorted(_KEYS - {"base", "axes", "metric"}))}; unknown: '
            f'{sorted(unknown) or "none"}, missing: {sorted(missing) or "none"}')
    study = Study(Path(path).stem, slurm=dict(spec.get('slurm') or {}),
                  paper=spec.get('paper', ''))
    if study.name in ('dense', 'runs'):
        raise UserError(f'{path}: a study cannot be called {study.name!r}, a folder beside it is')
    bases = Bases(spec, Path(path).parent)
    for part, axes in spec.axes.items():
        study.parts[part] = _combinations(axes, spec.get('seeds', [0]), f'{path}: axes.{part}')
    maker = _Maker(spec, bases, study)
    found: Dict[str, Run] = {}
    for part, combinations in study.parts.items():
        for settings in combinations:
            run = maker.run(settings)
            run = found.setdefault(run.name, run)
            if part in run.parts:
                raise UserError(
                    f'{path}: axes.{part}: {settings_text(run.parts[part])!r} and '
                    f'{settings_text(settings)!r} are one run: leave one of them out')
            run.parts[part] = settings
    bases.check(dict.fromkeys(run.base for run in found.values()))
    # Seed by seed: what an unfinished study has, it has for all settings.
    study.runs = sorted(found.values(), key=lambda run: run.seed)
    return study


class _Maker:
    """Makes the runs of one study file, whose combinations of settings the study has."""

    def __init__(self, spec: Config, bases: Bases, study: Study):
        self.spec, self.bases, self.study = spec, bases, study
        self.options = {key: spec[key] for key in ('lth', 'cfg_options') if spec.get(key)}
        self.known = spec.get('sources') or {}
        self.own = {bases.name(settings.get('base', spec.get('base')))
                    for combinations in study.parts.values() for settings in combinations}

    def run(self, settings: Dict[str, Any]) -> Run:
        """The run that sets ``settings``; a base among them is replaced by its bare name."""
        config = settings.get('base', self.spec.get('base'))
        if 'base' in settings:
            settings['base'] = self.bases.name(config)
        sources = {name: self.source(name, settings['seed'])
                   for name in sources_in(settings, self.known)}
        run = self._make(config, settings, self.options, sources)
        run.metrics = self.bases.of('metric', run.base)
        run.rewind_points = self.bases.of('rewind_points', run.base)
        return run

    def source(self, name: str, seed: int) -> Run:
        """The run of a source with that seed."""
        found = self.study.sources.setdefault(name, {})
        if seed not in found:
            settings = dict(self.known[name])
            if 'base' not in settings:
                raise UserError(f'sources.{name}: it has no base')
            other = next(iter(sources_in(settings, self.known)), None)
            if other is not None:
                raise UserError(
                    f'sources.{name}: it starts from the source {other!r}, but sources are run '
                    'first, in no order. Run that one in a study of its own, and name its file')
            # A network that the study does not have need not know what is set of those it has.
            options = self.options if self.bases.name(settings['base']) in self.own else {}
            found[seed] = self._make(settings['base'], {'seed': seed, **settings}, options, {})
            self.study.source_settings[name] = {**settings, 'base': found[seed].base}
        return found[seed]

    def _make(self, config: str, settings: Mapping[str, Any], options: Mapping[str, Any],
              sources: Dict[str, Run]) -> Run:
        name, base = self.bases.name(config), self.bases.load(config, options)
        settings = fill_sources({key: value for key, value in settings.items() if key != 'base'},
                                {name: f'{{{run.name}}}' for name, run in sources.items()})
        check_keys(base, settings)
        base = set_out(base, settings)
        own = changed(base, settings)
        if 'lth' in options:
            options = {**options, 'lth': Path(options['lth']).stem}
        return Run({}, apply_settings(base, settings), run_name(name, own, options), name,
                   sources=sources)


def _combinations(axes: Mapping[str, Any], seeds: Sequence[int],
                  where: str) -> List[Dict[str, Any]]:
    if not isinstance(axes, Mapping):
        raise UserError(f'{where}: expected the axes of one part as dict(sparsity=[0.5, 0.8]), '
                        f'got {axes!r}')
    axes = {**axes, 'seed': axes.get('seed', seeds)}
    for key, values in axes.items():
        if not isinstance(values, (list, tuple)) or not values:
            raise UserError(f'{where}.{key}: expected a list of values, got {values!r}')
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]
