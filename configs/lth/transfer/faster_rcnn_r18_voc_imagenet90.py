_base_ = './faster_rcnn_r18_voc_imagenet80.py'
default_hooks = dict(prune=dict(transfer=dict(
    source='work_dirs/resnet18_imagenet_prune90/round_1/final.pth')))
