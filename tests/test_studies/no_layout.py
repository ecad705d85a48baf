"""As conftest, in the processes of jobs: laying out configs is most of a toy training."""
from mmengine.config import config

config.FormatCode = lambda text, **kwargs: (text, False)
