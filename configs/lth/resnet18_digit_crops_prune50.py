_base_ = './resnet18_digit_crops_prune80.py'
default_hooks = dict(prune=dict(sparsity=0.5))
