"""Tickets on photographs: VOC 2007 at 300 pixels, one seed.

First: VOC in `data/VOCdevkit`, a part of it will do, and the ImageNet weights of a ResNet-18, with
torchvision's names, in `data/resnet18.pth`. A file without layer4 will do: layer4 then starts at
random.
"""
weights = 'data/resnet18.pth'
base = '../faster_rcnn_r18_voc_small_prune80.py'
cfg_options = {
    'model.backbone.init_cfg.checkpoint': weights,
    'model.roi_head.shared_head.init_cfg.checkpoint': weights,
}
axes = dict(
    sparsity=dict(sparsity=[0.5, 0.8, 0.9]),
    controls=dict(control=['dense', 'random_mask']))
metric = 'pascal_voc/mAP'
del weights
