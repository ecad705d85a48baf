"""ImageNet's tickets in ResNet-18 detectors: COCO, and VOC with five seeds."""
_base_ = ['./_base_/coco.py', './_base_/imagenet_r18.py']
paper = 'Table 1'
tickets = [
    dict(source='{imagenet90}/round_1/final.pth', mapping='backbone'),
    dict(source='{imagenet80}/round_1/final.pth', mapping='backbone'),
    dict(source='{imagenet50}/round_1/final.pth', mapping='backbone')]
axes = dict(
    coco=dict(
        base=['../mask_rcnn_r18_coco_prune80.py', '../keypoint_rcnn_r18_coco_prune80.py'],
        transfer=tickets),
    voc=dict(base=['../faster_rcnn_r18_voc_prune80.py'], transfer=tickets,
             seed=[0, 1, 2, 3, 4]))
del tickets
