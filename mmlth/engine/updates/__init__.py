"""How the mask changes while a ticket trains; without an update it is static."""
from .base import MaskUpdate, Moment
from .dynamic import SET, RigL
from .find import settings_of, update_of
from .gradual import Gradual

__all__ = ['Gradual', 'MaskUpdate', 'Moment', 'RigL', 'SET', 'settings_of', 'update_of']
