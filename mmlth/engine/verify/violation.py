"""What a check finds."""
from mmlth.core.errors import UserError


class Violation(UserError):
    """An invariant that does not hold on disk: the file, the parameter, the numbers."""
