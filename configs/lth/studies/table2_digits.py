"""A deeper classifier's tickets in a detector of digits with that backbone."""
_base_ = './_base_/digits.py'
paper = 'Table 2'
sources = dict(
    deep80={'base': '../resnet18_digit_crops_prune80.py', 'model.backbone.depth': 34},
    deep90={'base': '../resnet18_digit_crops_prune90.py', 'model.backbone.depth': 34})
axes = dict(transferred={
    'model.backbone.depth': [34],
    'transfer': [dict(source='{deep90}/round_1/final.pth', mapping='backbone'),
                 dict(source='{deep80}/round_1/final.pth', mapping='backbone')]})
