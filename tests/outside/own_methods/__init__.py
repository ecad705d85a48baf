"""Methods of a user's own, each in its module: a config's ``custom_imports`` names the package."""
from . import gentle_hook, margin, mirrored     # noqa: F401
