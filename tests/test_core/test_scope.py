"""Scopes on models that bear the names of mmdet's detectors."""
import re

import pytest
import torch
from mmcv.ops import DeformConv2d, ModulatedDeformConv2dPack
from torch import nn

from mmlth.core import Scope, available_groups, layers_of, prunable, select
from mmlth.core.errors import UserError
from mmlth.core.parts import groups_of, teachers_of


def tree(**children):
    """A module without a forward, of named children."""
    module = nn.Module()
    for name, child in children.items():
        module.add_module(name, child)
    return module


def block(width=4, shortcut=False):
    children = dict(conv1=nn.Conv2d(width, width, 3, bias=False), bn1=nn.BatchNorm2d(width),
                    conv2=nn.Conv2d(width, width, 3, bias=False), bn2=nn.BatchNorm2d(width))
    if shortcut:
        children['downsample'] = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
    return tree(**children)


def c4_detector():
    """Faster R-CNN C4: layer4 is the shared head of the RoIs."""
    return tree(
        backbone=tree(conv1=nn.Conv2d(3, 4, 7, bias=False), bn1=nn.BatchNorm2d(4),
                      layer1=nn.Sequential(block()), layer2=nn.Sequential(block(4, True)),
                      layer3=nn.Sequential(block(4, True))),
        rpn_head=tree(rpn_conv=nn.Conv2d(4, 5, 3), rpn_cls=nn.Conv2d(5, 9, 1),
                      rpn_reg=nn.Conv2d(5, 36, 1)),
        roi_head=tree(shared_head=tree(layer4=nn.Sequential(block(4, True))),
                      bbox_head=tree(fc_cls=nn.Linear(4, 21), fc_reg=nn.Linear(4, 80))))


def fpn_detector():
    return tree(
        backbone=tree(stem=nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)),
                      layer1=nn.Sequential(block(4, True)), layer4=nn.Sequential(block(4, True))),
        neck=tree(lateral_convs=nn.ModuleList([nn.Conv2d(4, 4, 1)])),
        rpn_head=tree(rpn_conv=nn.Conv2d(4, 4, 3)),
        roi_head=tree(bbox_head=tree(shared_fcs=nn.ModuleList([nn.Linear(4, 4)])),
                      mask_head=tree(upsample=nn.ConvTranspose2d(4, 4, 2)),
                      keypoint_head=tree(convs=nn.ModuleList([nn.Conv2d(4, 4, 3)]))))


def test_groups_of_a_c4_detector():
    groups = {g: set(p) for g, p in available_groups(c4_detector()).items()}
    layers = {f'backbone.layer{i}.0.conv{j}.weight' for i in (1, 2, 3) for j in (1, 2)}
    shortcuts = {'backbone.layer2.0.downsample.0.weight', 'backbone.layer3.0.downsample.0.weight',
                 'roi_head.shared_head.layer4.0.downsample.0.weight'}
    assert groups['stem'] == {'backbone.conv1.weight'}
    assert groups['base'] == layers
    assert groups['top'] == {f'roi_head.shared_head.layer4.0.conv{j}.weight' for j in (1, 2)}
    assert groups['downsample'] == shortcuts
    assert groups['backbone'] == layers | {'backbone.conv1.weight'}
    assert groups['rpn'] == {f'rpn_head.rpn_{n}.weight' for n in ('conv', 'cls', 'reg')}
    assert groups['head'] == groups['box_head'] == {
        'roi_head.bbox_head.fc_cls.weight', 'roi_head.bbox_head.fc_reg.weight'}
    assert list(groups)[:4] == ['stem', 'base', 'top', 'downsample']
    assert not {'neck', 'mask_head', 'keypoint_head'} & set(groups)


def test_groups_of_an_fpn_detector():
    groups = {g: set(p) for g, p in available_groups(fpn_detector()).items()}
    assert groups['stem'] == {'backbone.stem.0.weight'}
    assert groups['top'] == {'backbone.layer4.0.conv1.weight', 'backbone.layer4.0.conv2.weight'}
    assert groups['neck'] == {'neck.lateral_convs.0.weight'}
    assert groups['box_head'] == {'roi_head.bbox_head.shared_fcs.0.weight'}
    assert groups['mask_head'] == {'roi_head.mask_head.upsample.weight'}
    assert groups['keypoint_head'] == {'roi_head.keypoint_head.convs.0.weight'}


@pytest.mark.parametrize('name, groups', [
    ('backbone.conv1.weight', ['stem', 'backbone']),
    ('backbone.layer1.0.conv1.weight', ['base', 'backbone']),      # no substring match of conv1
    ('backbone.layer1.0.downsample.0.weight', ['downsample']),
    ('backbone.layer10.0.conv1.weight', ['backbone']),
    ('backbone.layer4.2.conv3.weight', ['top', 'backbone']),
    ('neck.downsample_convs.0.weight', ['neck']),
    ('neck.layer1.0.conv1.weight', ['neck']),
    ('head.conv1.weight', ['head']),
    ('bbox_head.cls_convs.0.weight', ['head', 'bbox_head']),
    ('roi_head.bbox_head.0.fc_cls.weight', ['head', 'box_head', 'roi_head']),   # cascade
    ('head.final_layer.weight', ['head']),                                      # mmpose
    ('encoder.layers.0.weight', ['encoder']),
])
def test_groups_of_a_name(name, groups):
    assert groups_of(name) == groups


@pytest.mark.parametrize('model', [c4_detector(), fpn_detector()])
def test_only_the_group_norm_holds_norms(model):
    norms = {n for n, _ in model.named_parameters() if re.search(r'bn\d|stem\.1|sample\.1', n)}
    groups = available_groups(model)
    for group, params in groups.items():
        assert not any(name.endswith('bias') for name in params)
        assert bool(norms & set(params)) == (group == 'norm')
    assert set(groups['norm']) == {n for n in norms if n.endswith('weight')}
    assert not norms & set(prunable(model))
    assert list(select(model, ['norm'])) == list(groups['norm'])


def test_all_kinds_of_layers():
    model = tree(
        conv=nn.Conv1d(2, 3, 3), up=nn.ConvTranspose2d(3, 2, 2), volume=nn.Conv3d(1, 2, 1),
        linear=nn.Linear(3, 3), deform=DeformConv2d(2, 2, 3),
        dcn=ModulatedDeformConv2dPack(2, 2, 3),
        attention=nn.MultiheadAttention(4, 2), cross=nn.MultiheadAttention(4, 2, kdim=3, vdim=5),
        norm=nn.LayerNorm((3, 4)), group=nn.GroupNorm(1, 2), instance=nn.InstanceNorm2d(2),
        plain=nn.BatchNorm1d(3, affine=False), prelu=nn.PReLU(3), embed=nn.Embedding(5, 3),
        bag=nn.EmbeddingBag(5, 3))
    model.position = nn.Parameter(torch.zeros(2, 3))
    assert set(prunable(model)) == {
        'conv.weight', 'up.weight', 'volume.weight', 'linear.weight', 'deform.weight',
        'dcn.weight', 'dcn.conv_offset.weight',
        'attention.in_proj_weight', 'attention.out_proj.weight',
        'cross.q_proj_weight', 'cross.k_proj_weight', 'cross.v_proj_weight',
        'cross.out_proj.weight'}
    assert set(available_groups(model)['norm']) == {'norm.weight', 'group.weight'}
    params = dict(model.named_parameters())
    assert all(params[n] is p for n, p in prunable(model).items())


def transposed(model):
    return {name for name, layer in layers_of(model).items() if layer.transposed}


def test_transposed_convolutions_are_known_by_the_names_of_their_weights():
    up = nn.ConvTranspose2d(4, 4, 2)
    model = tree(conv=nn.Conv2d(4, 4, 2), up=up, again=tree(up=up),
                 line=nn.ConvTranspose1d(2, 3, 2),
                 fc=nn.Linear(4, 4), embed=nn.Embedding(5, 3))
    assert transposed(model) == {'up.weight', 'line.weight'}
    assert transposed(up) == {'weight'}
    assert transposed(fpn_detector()) == {'roi_head.mask_head.upsample.weight'}
    assert transposed(c4_detector()) == set()


def test_shared_parameters_count_once():
    shared = nn.Linear(4, 4)
    model = tree(first=tree(fc=shared), again=tree(fc=shared), other=nn.Linear(4, 4))
    model.other.weight = shared.weight      # the parameter, not the module
    assert list(prunable(model)) == ['first.fc.weight']
    assert list(select(model)) == list(select(model, ['first'])) == ['first.fc.weight']


def test_a_weight_tied_to_an_embedding_has_its_first_name_or_is_out():
    """The masks' names must be those of model.named_parameters()."""
    model = tree(embed=nn.Embedding(5, 4), head=nn.Linear(4, 5), fc=nn.Linear(4, 4))
    model.head.weight = model.embed.weight
    assert set(prunable(model)) <= set(dict(model.named_parameters()))


def test_a_linear_layer_is_no_norm_for_its_name():
    """mmdet's NormedLinear and NormedConv2d normalise their own weight and input."""
    from mmdet.models.layers import NormedConv2d, NormedLinear
    model = tree(fc_cls=NormedLinear(4, 3), conv=NormedConv2d(4, 3, 1))
    assert set(prunable(model)) == {'fc_cls.weight', 'conv.weight'}
    assert 'norm' not in available_groups(model)


def test_a_teacher_is_left_out():
    """It is fixed, or the average of its student."""
    model = tree(student=tree(fc=nn.Linear(2, 2)), teacher=tree(fc=nn.Linear(2, 2)),
                 loss=tree(teacher_head=nn.Linear(2, 2), teachers=nn.Linear(2, 2)))
    assert set(prunable(model)) == {'student.fc.weight', 'loss.teachers.weight'}
    with pytest.raises(UserError, match="unknown group.*'teacher'"):
        select(model, ['teacher'])


def test_a_teachers_counterparts_are_those_of_its_students_names_and_shapes():
    params = {name: torch.zeros(shape) for name, shape in {
        'student.fc.weight': (2, 2), 'teacher.fc.weight': (2, 2), 'student.fc.bias': 2,
        'teacher.fc.bias': 3, 'loss.student_head.weight': 1, 'loss.teacher_head.weight': 1,
        'students.weight': 1, 'teachers.weight': 1, 'fc.weight': 1}.items()}
    assert teachers_of(params) == {'student.fc.weight': 'teacher.fc.weight',
                                   'loss.student_head.weight': 'loss.teacher_head.weight'}


def test_a_teachers_norms_are_left_out():
    model = tree(student=tree(bn=nn.BatchNorm1d(2)), teacher=tree(bn=nn.BatchNorm1d(2)))
    assert list(select(model, ['norm'])) == ['student.bn.weight']


@pytest.mark.parametrize('spec', [5, [5], ['backbone', None], b'backbone', {'include': 5}])
def test_a_scope_of_another_kind_is_an_error(spec):
    with pytest.raises(UserError, match='scope: '):
        Scope(spec)


@pytest.mark.parametrize('layer, group', [(nn.Linear(4, 4), None), (nn.BatchNorm1d(4), 'norm')])
def test_the_first_name_is_that_of_named_parameters(layer, group):
    """Also if what shares a weight first is a teacher, or no layer: nothing is dropped."""
    teacher, plain = tree(fc=nn.Module()), nn.Module()
    teacher.fc.register_parameter('weight', layer.weight)
    plain.register_parameter('kernel', layer.weight)
    for first in (dict(teacher=teacher), dict(plain=plain)):
        model = tree(**first, body=tree(fc=layer))
        name = next(name for name, p in model.named_parameters() if p is layer.weight)
        assert name.split('.')[0] in first
        assert list(select(model, [group or name.split('.')[0]])) == [name]


def test_no_scope_is_all_prunable_weights():
    model = c4_detector()
    assert list(select(model)) == list(prunable(model))


def test_groups_are_joined_in_the_models_order():
    model = c4_detector()
    chosen = list(select(model, ['top', 'stem', 'base', 'top']))
    assert chosen == [n for n, _ in model.named_parameters() if n in set(chosen)]
    assert len(chosen) == 2 + 1 + 6
    assert list(select(model, 'stem')) == list(select(model, ['stem'])) == ['backbone.conv1.weight']


def test_an_unknown_group_lists_those_there_are():
    with pytest.raises(UserError) as caught:
        select(c4_detector(), ['base', 'neck', 'bas'])
    assert "'neck', 'bas'" in str(caught.value)
    for group in available_groups(c4_detector()):
        assert group in str(caught.value)


def test_regular_expressions_on_full_names():
    model = c4_detector()
    assert list(select(model, dict(include=[r'^backbone\.conv1\.']))) == ['backbone.conv1.weight']
    chosen = select(model, dict(include=['layer[12]', 'rpn_conv'], exclude=['downsample', 'conv2']))
    assert list(chosen) == ['backbone.layer1.0.conv1.weight', 'backbone.layer2.0.conv1.weight',
                            'rpn_head.rpn_conv.weight']
    everything_else = select(model, dict(exclude=[r'^rpn_head', 'bbox_head']))
    assert set(everything_else) == {n for n in prunable(model)
                                    if not n.startswith('rpn') and 'bbox' not in n}


@pytest.mark.parametrize('scope, message', [
    (dict(include=['layer9']), "'layer9' matches no prunable parameter; names look like backbone"),
    (dict(include=['layer1', 'bn1']), "'bn1' matches no prunable parameter"),
    (dict(exclude=['layer9']), "'layer9' matches no prunable"),
    (dict(include=['layer(']), r"'layer\(' is no regular expression"),
    (dict(includes=['layer1']), r"expected the keys .*got \['includes'\]"),
    (dict(include=['layer1'], exclude=['layer']), 'holds no weights.*stem, base, top'),
    ([], 'holds no weights'),
])
def test_a_scope_that_matches_nothing_is_an_error(scope, message):
    with pytest.raises(UserError, match=message):
        select(c4_detector(), scope)


def test_one_regular_expression_need_not_be_a_list():
    """A string is no list of letters: 'rpn' must not match every name with an r."""
    model = c4_detector()
    assert list(select(model, dict(include='rpn'))) == list(select(model, ['rpn']))
    assert list(select(model, dict(exclude='backbone|roi'))) == list(select(model, ['rpn']))


def test_frozen_weights_are_in_unless_told_otherwise():
    model = c4_detector()
    for name in ('conv1', 'layer1'):
        getattr(model.backbone, name).requires_grad_(False)
    assert len(select(model, ['base'])) == 6
    assert list(select(model, ['base'], frozen=False)) == [
        f'backbone.layer{i}.0.conv{j}.weight' for i in (2, 3) for j in (1, 2)]
    with pytest.raises(UserError, match=r'holds no weights \(with frozen=False\)'):
        select(model, ['stem'], frozen=False)


def test_a_model_without_weights_is_an_error():
    with pytest.raises(UserError, match='groups: none'):
        select(nn.ReLU())
