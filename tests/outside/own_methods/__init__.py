"""Methods of a user's own, each in its module: a config's ``custom_imports`` names the package."""
from . import distance, gentle_hook, margin, mirrored, rolling, spare_last     # noqa: F401
