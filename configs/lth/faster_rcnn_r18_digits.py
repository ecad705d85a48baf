# Dense Faster R-CNN on the embedded digits, from scratch. A ResNet-18 with a quarter of
# its channels, and samplers and heads to match: a training takes minutes on two CPU cores.
_base_ = [
    './_base_/models/faster_rcnn_r18_digits.py', './_base_/datasets/digits_detection.py',
    './_base_/digits_runtime.py'
]
