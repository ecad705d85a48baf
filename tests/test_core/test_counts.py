"""The counts in a report add up."""
import torch
from torch import nn

from mmlth.core import prunable, sparsity_report


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


def test_averaged_copies_count_in_the_network_alone():
    net, mask = make()
    net.copy = nn.Linear(4, 4, bias=False)
    name = 'backbone.layer1.0.conv2.weight'
    report = sparsity_report(net, mask, {name: 'copy.weight', 'neck.weight': 'other'})
    assert report['network'] == dict(name='network', weights=201, zeros=86, sparsity=86 / 201)
    assert report['scope']['zeros'] == 70 and len(report['layers']) == len(mask)


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
