"""A deeper classifier's ticket in a detector of digits with that backbone."""
_base_ = './_base_/digits.py'
paper = 'Table 2'
seeds = [0]
sources = dict(
    deep80={'base': '../resnet18_digit_crops_prune80.py', 'model.backbone.depth': 34})
axes = dict(transferred={
    'model.backbone.depth': [34],
    'transfer': [dict(source='{deep80}/round_1/final.pth', mapping='backbone')]})
