"""ImageNet's tickets in ResNet-50 detectors: COCO, and VOC with five seeds."""
_base_ = ['./_base_/coco.py', './_base_/imagenet_r50.py']
paper = 'Table 2'
tickets = [
    dict(source='{imagenet90}/round_1/final.pth', mapping='backbone'),
    dict(source='{imagenet80}/round_1/final.pth', mapping='backbone')]
axes = dict(
    coco=dict(
        base=['../mask_rcnn_r50_coco_prune80.py', '../keypoint_rcnn_r50_coco_prune80.py'],
        transfer=tickets),
    voc=dict(base=['../faster_rcnn_r50_voc_prune80.py'], transfer=tickets,
             seed=[0, 1, 2, 3, 4]))
del tickets
