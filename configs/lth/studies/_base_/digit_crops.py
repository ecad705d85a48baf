# The ticket of a classifier of single digits, in the place of ImageNet's.
sources = dict(crops80=dict(base='../resnet18_digit_crops_prune80.py'))
