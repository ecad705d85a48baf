"""Data that comes with mmlth."""
from mmlth.datasets.digits import make_digits

__all__ = ['make_digits']
