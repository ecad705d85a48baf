# Dense Keypoint R-CNN on the embedded digits; backbone, neck and RPN of the Faster R-CNN.
_base_ = [
    './_base_/models/keypoint_rcnn_r18_digits.py', './_base_/datasets/digits_keypoints.py',
    './_base_/digits_runtime.py'
]
visualizer = dict(type='mmlth.KeypointDetLocalVisualizer')
