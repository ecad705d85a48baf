"""Lottery tickets for MMDetection and MMPose."""
__version__ = '0.1.0'
