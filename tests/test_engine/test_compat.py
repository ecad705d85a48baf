"""What compat mends, and that it opens no door."""
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch
from mmengine.runner import Runner
from mmengine.utils import digit_version
from toy import toy_config

from mmlth import compat

has_list = pytest.mark.skipif(digit_version(torch.__version__) < digit_version('2.6'),
                              reason='PyTorch knows no list of the user before 2.6')


def python(code, *args):
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code), *args],
                          capture_output=True, text=True)


@has_list
def test_stock_resume_needs_the_allow_list(tmp_path):
    """A stock Runner resumes as soon as a config names an mmlth type, and not before."""
    Runner.from_cfg(toy_config(tmp_path, val=False)).train()
    code = '''
        import sys
        sys.path.insert(0, sys.argv[1])
        from toy import toy_config
        from mmengine.runner import Runner
        cfg = toy_config(sys.argv[2], val=False, iters=14)
        cfg.resume = True
        if sys.argv[3] == 'with':
            cfg.optim_wrapper.type = 'mmlth.MaskedOptimWrapper'
            cfg.default_hooks.prune = dict(type='mmlth.PruneHook')
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert runner.iter == 14
    '''
    tests = str(__import__('pathlib').Path(__file__).parents[1])
    without = python(code, tests, str(tmp_path), 'without')
    assert without.returncode and 'Weights only load failed' in without.stderr
    result = python(code, tests, str(tmp_path), 'with')
    assert result.returncode == 0, result.stderr


class Hostile:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def _attack(path, payload):
    torch.save(dict(state_dict={}, message_hub=payload), path)


@pytest.mark.parametrize('payload', [
    Hostile(eval, '__import__("builtins").print("owned")'),
    Hostile(getattr, Hostile(__import__, 'os'), 'system'),
    Hostile(getattr, [].__class__, '__subclasses__'),
    Hostile(getattr, compat.HistoryBuffer, '__init__'),
    Hostile(getattr, compat.HistoryBuffer, '__globals__'),
], ids=['eval', 'os.system', 'subclasses', 'init', 'globals'])
def test_hostile_checkpoints_are_still_refused(tmp_path, payload):
    compat.apply()
    path = tmp_path / 'hostile.pth'
    _attack(path, payload)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(path, weights_only=True)


@has_list
def test_getattr_reaches_only_statistics(tmp_path):
    compat.apply()
    _attack(tmp_path / 'fine.pth', Hostile(getattr, compat.HistoryBuffer, 'mean'))
    loaded = torch.load(tmp_path / 'fine.pth', weights_only=True)
    assert loaded['message_hub'] is compat.HistoryBuffer.mean


_USE = '''
    import mmlth.engine
    import mmpose.visualization, mmengine, torch
    from mmengine.utils.dl_utils import collect_env
    collect_env()
    from torchvision.transforms import ToPILImage
    assert ToPILImage()(torch.rand(3, 4, 5)).size == (5, 4)
    assert ToPILImage()(torch.rand(4, 5)).size == (5, 4)
    from torchvision.transforms.functional import pil_to_tensor
    pixels = torch.randint(0, 256, (4, 5, 3), dtype=torch.uint8)
    assert torch.equal(pil_to_tensor(ToPILImage()(pixels.numpy())), pixels.permute(2, 0, 1))
    import torchvision
    import torchvision.ops.boxes as boxes
    for use in (lambda: boxes.box_iou, lambda: torchvision.transforms.RandomResizedCrop(2)):
        try:
            use()
        except (AttributeError, ImportError) as error:
            assert 'needs torchvision, which is missing' in str(error)
        else:
            raise AssertionError('nothing was said')
    from mmengine.runner.checkpoint import get_torchvision_models
    assert get_torchvision_models()['resnet18'].endswith('.pth')
    print(torchvision.__doc__)
'''


@pytest.mark.parametrize('content', [
    None, 'raise RuntimeError("operator torchvision::nms does not exist")'])
def test_torchvision_missing_or_broken(tmp_path, content):
    if content:
        (tmp_path / 'torchvision.py').write_text(content)
    hide = f"import sys; sys.path.insert(0, '{tmp_path}')\n"
    if not content:
        hide += '''
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'torchvision':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
'''
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', hide + textwrap.dedent(_USE)],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'stand-in' in result.stdout


def test_a_working_torchvision_is_left_alone(tmp_path):
    (tmp_path / 'torchvision.py').write_text('__version__ = "0.99"')
    result = python('''
        import sys
        sys.path.insert(0, sys.argv[1])
        import mmlth.engine, torchvision
        assert torchvision.__version__ == '0.99'
    ''', str(tmp_path))
    assert result.returncode == 0, result.stderr
