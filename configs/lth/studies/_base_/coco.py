# Metrics of the paper's models on COCO, of which it has one seed each, and on VOC.
metric = dict(
    mask_rcnn_r18_coco_prune80=[
        'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP', 'coco/segm_mAP_50'],
    mask_rcnn_r50_coco_prune80=[
        'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP', 'coco/segm_mAP_50'],
    keypoint_rcnn_r18_coco_prune80=['coco/keypoints_mAP', 'coco/keypoints_mAP_50'],
    keypoint_rcnn_r50_coco_prune80=['coco/keypoints_mAP', 'coco/keypoints_mAP_50'],
    faster_rcnn_r18_voc_prune80='pascal_voc/mAP',
    faster_rcnn_r50_voc_prune80='pascal_voc/mAP')
# As in voc.py.
rewind_points = dict(
    faster_rcnn_r18_voc_prune80=['0it', '600it', '10%', '25%', '50%', '75%', '90%'])
