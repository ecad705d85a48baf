"""The base configs of a study: each is read once, and goes by the name of its file."""
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping

from mmengine.config import Config

from mmlth.core.errors import UserError
from mmlth.engine.config import load_config

from .settings import check_keys


class Bases:
    """The base configs of one study file.

    Args:
        spec: The study file's content.
        folder: Where it is; configs are named relative to it.
    """

    def __init__(self, spec: Config, folder: Path):
        self.spec, self.folder = spec, folder
        self.loaded: Dict[Any, Config] = {}
        self.places: Dict[str, str] = {}    # name -> file

    def name(self, config: str) -> str:
        """The file's name without suffix: runs, metrics and rewind points go by it.

        Raises:
            UserError: Another base of the study has that name, or it is no file's.
        """
        if not isinstance(config, str):
            raise UserError(f'base: expected the name of a config file, got {config!r}; several '
                            'are an axis, base=[...]')
        name, place = Path(config).stem, self._beside(config)
        place = place if '::' in place else str(Path(place).resolve())
        first = self.places.setdefault(name, place)
        if first != place:
            raise UserError(f'two bases are called {name}: {first} and {place}. Runs are named '
                            'after their base: rename one of the files')
        return name

    def load(self, config: str, options: Mapping[str, Any]) -> Config:
        """The config with the study's override and options, or without either."""
        key = (config, bool(options))
        if key not in self.loaded:
            lth, own = options.get('lth'), options.get('cfg_options')
            place, over = self._beside(config), lth and self._beside(lth)
            if own:
                check_keys(load_config(place, over), own, short=())
            self.loaded[key] = load_config(place, over, own)
        return self.loaded[key]

    def of(self, key: str, name: str) -> List[str]:
        """What the study file says of a base under ``key``, for it alone or for all."""
        value = self.spec.get(key, [])
        if isinstance(value, dict):
            value = value.get(name, [])
        return [value] if isinstance(value, str) else list(value)

    def check(self, used: Iterable[str]) -> None:
        """Refuse bases without a metric, and what is said of no base.

        What studies share may be said of all configs that lie beside a base.

        Args:
            used: The names of the bases that results are wanted of.

        Raises:
            UserError: A name is mistyped, or a base has no metric.
        """
        folders = {Path(cfg.filename).parent for cfg in self.loaded.values()}
        for key in ('metric', 'rewind_points'):
            value = self.spec.get(key)
            for name in value if isinstance(value, dict) else ():
                if not any((folder / f'{name}.py').is_file() for folder in folders):
                    near = get_close_matches(name, list(self.places), 1)
                    raise UserError(
                        f'{key}: {name!r} is none of the bases, {", ".join(self.places)}, nor a '
                        'config beside them' + (f'. Is it {near[0]!r}?' if near else ''))
        for name in used:
            if not self.of('metric', name):
                raise UserError(f'metric: there is none of the base {name}, so it would have no '
                                f'results; add {name}=... to it')

    def _beside(self, config: str) -> str:
        """A config named relative to the study file."""
        absolute = '::' in config or Path(config).is_absolute()
        return config if absolute else str(self.folder / config)
