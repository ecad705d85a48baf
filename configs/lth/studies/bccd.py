"""Tickets on photographs: blood cells, three seeds, and whether more training would gain.

First: BCCD in `data/BCCD`, and the ImageNet weights of a ResNet-18, with torchvision's names, in
`data/resnet18.pth`. A file without layer4 will do: layer4 then starts at random.
"""
weights = 'data/resnet18.pth'
base = '../faster_rcnn_r18_bccd_prune80.py'
cfg_options = {
    'model.backbone.init_cfg.checkpoint': weights,
    'model.roi_head.shared_head.init_cfg.checkpoint': weights,
}
seeds = [0, 1, 2]
axes = dict(
    sparsity=dict(sparsity=[0.5, 0.7, 0.8, 0.9]),
    controls=dict(control=['dense', 'random_mask']),
    # The ticket that the ImageNet weights themselves give, and what pruning the trained detector
    # in the backbone alone comes to. Not strict: the weights may lack layer4.
    imagenet=dict(transfer=[dict(source=weights, sparsity=0.8, strict=False)]),
    backbone=dict(scope=[['base']]))
metric = 'pascal_voc/mAP'
del weights
