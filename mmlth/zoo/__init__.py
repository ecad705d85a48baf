"""Does the lottery work on every config of MMDetection and MMPose? Check them all."""
from .coverage import coverage
from .listing import list_configs
from .result import Result
from .summary import failures, from_dict, to_dict, to_markdown, to_text

__all__ = ['Result', 'coverage', 'failures', 'from_dict', 'list_configs', 'to_dict',
           'to_markdown', 'to_text']
