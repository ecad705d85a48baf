# A deeper classifier of single digits and its ticket: one for all seeds.
sources = dict(
    deep80={'base': '../resnet18_digit_crops_prune80.py', 'seed': 0, 'model.backbone.depth': 34})
