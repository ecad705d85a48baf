"""Read a config that a Runner has dumped, as data: nothing in the file is run."""
import ast
import math
from pathlib import Path
from typing import Any, Dict, NoReturn, Optional

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath

NOT_PLAIN = (OSError, SyntaxError, ValueError, TypeError, KeyError, ImportError, RecursionError,
             MemoryError)
_NAMES = dict(inf=math.inf, nan=math.nan)


def read_dump(path: AnyPath) -> Config:
    """The config in a file of assignments of plain values, as ``Config.dump`` writes them.

    The modules that its ``custom_imports`` names are imported, as mmengine does.

    Raises:
        UserError: The file has anything else in it, or cannot be read.
    """
    path = Path(path)
    try:
        return parse(path.read_text(encoding='utf-8'), str(path))
    except ImportError as error:
        raise UserError(f'{path} is of a training that needs modules which are not installed here '
                        f'({error})') from None
    except NOT_PLAIN as error:
        raise UserError(
            f'{path} is not read: {str(error)[:200]}. Expected is the config that the training has '
            'dumped there, assignments of plain values, for nothing in a work dir is run. Remove '
            'the file if another one beside it is the dump, or copy the dump back.') from None


def parse(text: str, filename: Optional[str] = None) -> Config:
    """The config that the text of such a file is.

    Raises:
        One of NOT_PLAIN: It has anything else in it.
    """
    config = {}
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign) or len(node.targets) > 1 or not isinstance(
                node.targets[0], ast.Name):
            _refuse(node)
        config[node.targets[0].id] = _value(node.value)
    cfg = Config(config, filename=filename)
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    return cfg


def _value(node: ast.AST) -> Any:
    """The plain value that an expression writes down."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(_value(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        return {_refuse(node) if key is None else _value(key): _value(value)     # None: of a **
                for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        arguments = list(map(_value, node.args))
        keywords: Dict[str, Any] = {}
        for keyword in node.keywords:
            value = _value(keyword.value)
            keywords.update(value if keyword.arg is None else {keyword.arg: value})
        if node.func.id == 'dict':      # dict({'1': 2}) too
            return dict(*arguments, **keywords)
        if node.func.id == 'float' and not keywords:
            return float(*arguments)
    _refuse(node)


def _refuse(node: ast.AST) -> NoReturn:
    raise ValueError(f'line {getattr(node, "lineno", "?")} is more than a plain value')
