_base_ = './mask_rcnn_r18_coco_prune80.py'
default_hooks = dict(prune=dict(sparsity=0.9))
