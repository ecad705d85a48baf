"""What the user can mend."""


class UserError(ValueError):
    """A mistake in a config, a command or a file.

    The message says what was expected, what came, and what to do; the tools print it
    without a traceback.
    """
