_base_ = './resnet50_imagenet_prune80.py'
default_hooks = dict(prune=dict(sparsity=0.5))
