"""Without what pycocotools prints."""
import contextlib
import io


def quiet():
    """A context in which nothing is printed."""
    return contextlib.redirect_stdout(io.StringIO())
