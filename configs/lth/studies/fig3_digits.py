"""A shallow against a deep backbone: Mask R-CNN on digits."""
_base_ = ['./_base_/digits.py', './_base_/deep_digit_crops.py']
base = '../mask_rcnn_r18_digits_pretrained_prune80.py'
paper = 'Fig. 3'
axes = dict(
    shallow=dict(sparsity=[0.8, 0.9]),
    deep={
        'model.backbone.depth': [34],
        'model.backbone.init_cfg.checkpoint': ['{deep80}/round_0/final.pth'],
        'sparsity': [0.8, 0.9]})
