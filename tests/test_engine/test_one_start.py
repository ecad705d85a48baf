"""One start at a time trains in a work dir."""
import os

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from toy import lottery_config, run_lottery

from mmlth.core import checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.verify import verify


@HOOKS.register_module(force=True)
class SecondStart(Hook):
    """Starts another training in the same work dir, in another process."""
    work_dir, told = None, None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 != 6 or not self.work_dir:
            return
        work_dir, type(self).work_dir = self.work_dir, None
        part = work_dir / f'.final.pth.{os.getpid()}.part'
        part.touch()        # the first one writes it just now
        if not os.fork():
            try:
                run_lottery(lottery_config(work_dir, randomness=dict(seed=99)))
            except UserError as error:
                self.told.write_text(str(error))
            finally:
                os._exit(0)
        os.wait()
        assert part.exists()


def test_a_second_start_in_the_same_work_dir_is_refused(tmp_path, monkeypatch):
    work_dir = tmp_path / 'run'
    monkeypatch.setattr(SecondStart, 'work_dir', work_dir)
    monkeypatch.setattr(SecondStart, 'told', tmp_path / 'told')
    cfg = lottery_config(work_dir, custom_hooks=[dict(type='SecondStart')], latency=False)
    run_lottery(cfg)
    assert f'another process trains in {work_dir}' in (tmp_path / 'told').read_text()
    seeds = {checkpoint_file.load(work_dir / 'round_0' / name)['meta']['seed']
             for name in (paths.REWIND, paths.FINAL)}
    assert seeds == {3}
    verify(work_dir)
    run_lottery(cfg, resume=True)       # and nothing is left of the lock
