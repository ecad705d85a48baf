# Dense Mask R-CNN on the embedded digits; backbone, neck and RPN of the Faster R-CNN.
_base_ = [
    './_base_/models/mask_rcnn_r18_digits.py', './_base_/datasets/digits_instances.py',
    './_base_/digits_runtime.py'
]
