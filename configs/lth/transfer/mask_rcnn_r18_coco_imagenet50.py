_base_ = './mask_rcnn_r18_coco_imagenet80.py'
default_hooks = dict(prune=dict(transfer=dict(
    source='work_dirs/resnet18_imagenet_prune50/round_1/final.pth')))
