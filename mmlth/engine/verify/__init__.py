"""Check every invariant of a lottery on what it left on disk."""
from .verify import verify
from .violation import Violation

__all__ = ['Violation', 'verify']
