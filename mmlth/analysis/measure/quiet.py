"""Without what pycocotools prints."""
import contextlib
import io
from typing import ContextManager


def quiet() -> ContextManager:
    """A context in which nothing is printed."""
    return contextlib.redirect_stdout(io.StringIO())
