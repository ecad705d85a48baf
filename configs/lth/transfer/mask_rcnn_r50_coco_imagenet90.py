_base_ = './mask_rcnn_r50_coco_imagenet80.py'
default_hooks = dict(prune=dict(transfer=dict(
    source='work_dirs/resnet50_imagenet_prune90/round_1/final.pth')))
