"""Lottery tickets for MMDetection and MMPose."""
from mmlth import versions

versions.check('torch')

__version__ = '0.1.0'
