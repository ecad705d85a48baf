"""A deeper classifier's ticket in a detector of digits with that backbone."""
_base_ = ['./_base_/digits.py', './_base_/deep_digit_crops.py']
paper = 'Table 2'
axes = dict(transferred={
    'model.backbone.depth': [34],
    'model.backbone.init_cfg.checkpoint': ['{deep80}/round_0/final.pth'],
    'transfer': [dict(source='{deep80}/round_1/final.pth', mapping='backbone')]})
