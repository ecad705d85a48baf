_base_ = './mask_rcnn_r18_digits_small_from_crops80.py'
default_hooks = dict(
    prune=dict(
        transfer=dict(source='work_dirs/resnet18_digit_crops_prune90/round_1/final.pth')))
