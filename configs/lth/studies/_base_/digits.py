# The digits twins of the studies: pretrained as a classifier of digits. How they are trained was
# chosen on seed 9. First:
# python tools/make_digits.py --root data/digit_crops --seed 1 --size 96 --train 12000 --val 1000
# python tools/make_digits.py --root data/digits_scenes --size 96 --train 500 --val 1000
# python tools/train.py configs/lth/resnet18_digit_crops_prune80.py
base = '../faster_rcnn_r18_digits_pretrained_prune80.py'
seeds = [1, 2, 3]
metric = dict(
    faster_rcnn_r18_digits_pretrained_prune80=['coco/bbox_mAP', 'coco/bbox_mAP_50'],
    faster_rcnn_r18_c4_digits_pretrained_prune80=['coco/bbox_mAP', 'coco/bbox_mAP_50'],
    mask_rcnn_r18_digits_pretrained_prune80=[
        'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP', 'coco/segm_mAP_50'],
    keypoint_rcnn_r18_digits_pretrained_prune80=['coco/keypoints_mAP', 'coco/keypoints_mAP_50'],
    td_hm_r18_digits_pretrained_prune80=['coco/AP', 'coco/AP .5'])
# What Fig. 2b rewinds to: so that all studies in one work dir share the dense trainings.
rewind_points = dict(
    faster_rcnn_r18_digits_pretrained_prune80=['0it', '5%', '25%', '50%', '75%', '90%'])
