# The paper's main model: Faster R-CNN C4, ResNet-18, VOC 2007; five seeds.
base = '../faster_rcnn_r18_voc_prune80.py'
seeds = [0, 1, 2, 3, 4]
metric = 'pascal_voc/mAP'
# What Fig. 2b rewinds to: so that all studies in one work dir share the dense trainings.
rewind_points = dict(
    faster_rcnn_r18_voc_prune80=['0it', '600it', '10%', '25%', '50%', '75%', '90%'])
