"""From finished runs to the paper's tables and figures (the paper, 4.3 and 4.4); no retraining."""
from .analyze import analyze

__all__ = ['analyze']
