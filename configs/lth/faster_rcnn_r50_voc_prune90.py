_base_ = './faster_rcnn_r50_voc_prune80.py'
default_hooks = dict(prune=dict(sparsity=0.9))
