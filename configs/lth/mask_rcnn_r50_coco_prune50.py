_base_ = './mask_rcnn_r50_coco_prune80.py'
default_hooks = dict(prune=dict(sparsity=0.5))
