"""How the mask changes while a ticket trains; without an update it is static."""
from .base import MaskUpdate, Moment
from .dynamic import SET, RigL
from .find import label_of, settings_of, update_of
from .gradual import Gradual

__all__ = ['Gradual', 'MaskUpdate', 'Moment', 'RigL', 'SET', 'label_of', 'settings_of', 'update_of']
