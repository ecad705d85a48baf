# The digits twins of the studies: small scenes, small models, three seeds; one where the paper
# has one, with masks and keypoints. First:
# python tools/make_digits.py --root data/digits_small --size 96 --train 2000 --val 200
base = '../faster_rcnn_r18_digits_small_prune80.py'
seeds = [0, 1, 2]
metric = dict(
    faster_rcnn_r18_digits_small_prune80=['coco/bbox_mAP', 'coco/bbox_mAP_50'],
    mask_rcnn_r18_digits_small_prune80=[
        'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP', 'coco/segm_mAP_50'],
    keypoint_rcnn_r18_digits_small_prune80=['coco/keypoints_mAP', 'coco/keypoints_mAP_50'])
# What Fig. 2b rewinds to: so that all studies in one work dir share the dense trainings.
rewind_points = dict(faster_rcnn_r18_digits_small_prune80=['0it', '5%', '25%', '75%'])
