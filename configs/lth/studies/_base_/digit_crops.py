# Tickets of a classifier of single digits, in the place of ImageNet's.
sources = dict(
    crops50=dict(base='../resnet18_digit_crops_prune50.py'),
    crops90=dict(base='../resnet18_digit_crops_prune90.py'))
