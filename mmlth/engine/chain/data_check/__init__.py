"""Read what a training would read, and say what would end it or make it learn something else."""
from .check import check_loaders
from .findings import details, table
from .first_look import FirstLookHook, check_annotation_files

__all__ = ['FirstLookHook', 'check_annotation_files', 'check_loaders', 'details', 'table']
