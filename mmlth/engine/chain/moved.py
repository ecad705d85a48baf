"""Lotteries that start from others beside them, after the folder of all was moved."""
import os
from pathlib import Path
from typing import Any, Dict

from mmlth.core import paths


def follow(config: Dict[str, Any], work_dir: Path) -> Dict[str, Any]:
    """The config of a lottery, with the files of the lotteries beside it where they are now.

    A path counts that led into the folder of the work dir, and leads into a lottery there now; all
    others, of data for one, stay as they are.

    Args:
        config: As its ``lottery.json`` has it, with the work dir that it was begun in.
        work_dir: Where it is now.
    """
    before, now = Path(config.get('work_dir') or work_dir).parent, work_dir.parent
    start = f'{before}{os.sep}'

    def followed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: followed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [followed(inner) for inner in value]
        if not isinstance(value, str) or not value.startswith(start):
            return value
        name, *rest = Path(value[len(start):]).parts or ['']
        return str(Path(now, name, *rest)) if (now / name / paths.LOTTERY).is_file() else value
    return config if before == now else followed(config)
