"""Modules of users, in which their analyses are registered."""
from importlib import import_module
from functools import partial
from typing import Dict, List, Sequence

from mmlth.core.errors import UserError
from mmlth.report.guard import Guard, reason_of

from .compare.wording import first_text
from .found.run import Run


def import_modules(names: Sequence[str]) -> None:
    """Import what the user of the analysis asks for.

    Raises:
        UserError: A module is not there.
    """
    for name in names:
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(f'the module {name} cannot be imported ({reason_of(error)}): install '
                            'it, or add its folder to PYTHONPATH') from None


def import_own(runs: Sequence[Run], guard: Guard) -> List[str]:
    """Import what the configs of the lotteries import (``custom_imports``), as training did.

    Args:
        runs: Of all lotteries.
        guard: Notes which modules fail with anything but an ImportError.

    Returns:
        list[str]: A sentence on the modules that are not installed here; none if all are.
    """
    wanted: Dict[str, List[str]] = {}
    for run in runs:
        imports = (run.cfg.get('custom_imports') or {}).get('imports') or []
        for name in [imports] if isinstance(imports, str) else imports:
            wanted.setdefault(name, []).append(run.name)
    reasons = {name: guard.run(f'the module {name}', partial(_why_absent, name))
               for name in wanted}
    listed = '; '.join(f'{name} ({first_text(wanted[name])}: {why})'
                       for name, why in reasons.items() if why)
    return [f'Not imported, for it is not installed here: {listed}.'] if listed else []


def _why_absent(name: str) -> str:
    """Why a module cannot be imported; empty if it can."""
    try:
        import_module(name)
    except ImportError as error:
        return reason_of(error)
    return ''
