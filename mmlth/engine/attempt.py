"""What a lottery adds to its results, and can do without."""
import logging
from typing import Any, Callable, Optional

from mmengine.logging import print_log


def attempt(without: str, function: Callable, *args) -> Optional[Any]:
    """The result of a function; None where it fails, which is only logged.

    Args:
        without: What the report then has to do without, as ``'no sample images'``.
        function: Called with ``args``.
    """
    try:
        return function(*args)
    except Exception as error:      # hours of training are worth more than any picture
        print_log(f'The report has {without}: {type(error).__name__}: {error}', logger='current',
                  level=logging.WARNING)
        return None
