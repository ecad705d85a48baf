"""The counts in a report add up; its table and its picture."""
import struct
from unittest.mock import patch

import pytest
import torch
from torch import nn

from mmlth.core import prunable, sparsity_report
from mmlth.core.errors import UserError
from mmlth.core.figures import plot_layers
from mmlth.core.report import to_markdown


def make():
    net = nn.Module()
    net.backbone = nn.Module()
    net.backbone.conv1 = nn.Conv2d(3, 4, 3)                 # 108 + 4
    net.backbone.bn1 = nn.BatchNorm2d(4)                    # 8
    net.backbone.layer1 = nn.Sequential(nn.Module())
    net.backbone.layer1[0].conv1 = nn.Conv2d(4, 4, 1)       # 16 + 4
    net.backbone.layer1[0].conv2 = nn.Conv2d(4, 4, 1)       # 16 + 4
    net.neck = nn.Linear(4, 5)                              # 20 + 5
    net.same = net.neck
    mask = {n: torch.ones_like(p, dtype=torch.bool) for n, p in prunable(net).items()
            if n != 'neck.weight'}
    mask['backbone.conv1.weight'].view(-1)[:54] = False
    mask['backbone.layer1.0.conv2.weight'][:] = False
    return net, mask


def test_counts_add_up():
    net, mask = make()
    report = sparsity_report(net, mask)
    assert report['network'] == dict(name='network', weights=185, zeros=70, sparsity=70 / 185)
    assert report['scope'] == dict(name='scope', weights=140, zeros=70, sparsity=0.5)
    assert report['groups'] == [dict(name='stem', weights=108, zeros=54, sparsity=0.5),
                                dict(name='base', weights=32, zeros=16, sparsity=0.5)]
    assert [(r['name'], r['group'], r['weights'], r['zeros'], r['sparsity'])
            for r in report['layers']] == [
        ('backbone.conv1.weight', 'stem', 108, 54, 0.5),
        ('backbone.layer1.0.conv1.weight', 'base', 16, 0, 0.0),
        ('backbone.layer1.0.conv2.weight', 'base', 16, 16, 1.0)]
    for part in ('groups', 'layers'):
        for key in ('weights', 'zeros'):
            assert sum(r[key] for r in report[part]) == report['scope'][key]


def test_zeros_are_what_the_mask_prunes_not_weights_that_are_zero():
    net, mask = make()
    nn.init.zeros_(net.backbone.conv1.weight)
    assert sparsity_report(net, mask)['scope']['zeros'] == 70


def test_no_mask():
    net, _ = make()
    report = sparsity_report(net, {})
    assert report['layers'] == report['groups'] == []
    assert report['scope'] == dict(name='scope', weights=0, zeros=0, sparsity=0.0)
    assert report['network']['weights'] == 185 and report['network']['zeros'] == 0


def test_markdown():
    net, mask = make()
    lines = to_markdown(sparsity_report(net, mask)).splitlines()
    assert lines[0] == '| | weights | zeros | sparsity |' and len(lines) == 2 + 2 + 2 + 3
    assert '| network | 185 | 70 | 37.84% |' in lines
    assert '| group stem | 108 | 54 | 50.00% |' in lines
    assert '| `backbone.layer1.0.conv2.weight` | 16 | 16 | 100.00% |' in lines
    assert len({line.count('|') for line in lines}) == 1


def png_size(path):
    content = path.read_bytes()
    assert content.startswith(b'\x89PNG\r\n') and content.endswith(b'IEND\xaeB`\x82')
    return struct.unpack('>II', content[16:24])


def test_picture(tmp_path):
    from matplotlib import pyplot as plt
    net, mask = make()
    plot_layers(sparsity_report(net, mask), tmp_path / 'new' / 'a.png')
    width, height = png_size(tmp_path / 'new' / 'a.png')
    assert width > 300 and height > 300
    assert [p.name for p in (tmp_path / 'new').iterdir()] == ['a.png']
    assert plt.get_fignums() == []


def test_pictures_grow_with_the_layers_and_may_be_empty(tmp_path):
    row = dict(weights=10, zeros=5, sparsity=0.5)
    widths = []
    for count in (0, 1, 40):
        layers = [dict(row, name=f'{i}.weight', group=f'g{i % 9}') for i in range(count)]
        plot_layers(dict(layers=layers, scope=row), tmp_path / 'a.png')
        widths.append(png_size(tmp_path / 'a.png')[0])
    assert widths[0] <= widths[1] < widths[2]


def test_a_picture_is_whole_or_not_at_all(tmp_path):
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure
    (tmp_path / 'a.png').write_bytes(b'earlier')

    def interrupted(self, file, **kwargs):
        with open(file, 'wb') as stream:
            stream.write(b'half')
        raise OSError('disk full')

    net, mask = make()
    with patch.object(Figure, 'savefig', interrupted), pytest.raises(UserError):
        plot_layers(sparsity_report(net, mask), tmp_path / 'a.png')
    assert (tmp_path / 'a.png').read_bytes() == b'earlier'
    assert [p.name for p in tmp_path.iterdir()] == ['a.png']
    plt.close('all')
