"""The Runner of one round: mmengine's, whose checkpoints a kill cannot damage."""
from pathlib import Path

from mmengine.dist import master_only
from mmengine.runner import Runner

from mmlth.core import paths
from mmlth.core.files import link, whole_file


class RoundRunner(Runner):
    """An ordinary ``Runner`` that writes checkpoints whole or not at all.

    mmengine writes them in place, and with ``max_keep_ckpts`` removes the last one before
    the next is there: a kill in that moment costs the training. Here the newest one from which a
    training can go on is also kept as ``resume.pth``, a hard link, which takes no space.
    """

    @master_only
    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        """As ``Runner.save_checkpoint``."""
        if '://' in str(out_dir):       # remote storage writes whole objects by itself
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        path = Path(out_dir) / filename
        with whole_file(path) as part:
            super().save_checkpoint(str(part.parent), part.name, *args, **kwargs)
        rewind_point = (kwargs.get('meta') or {}).get('rewind_point')
        if kwargs.get('save_optimizer', True) and not rewind_point:
            link(path, Path(self.work_dir) / paths.RESUME)
