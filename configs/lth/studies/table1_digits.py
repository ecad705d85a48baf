"""A classifier's ticket in detectors of digits."""
_base_ = ['./_base_/digits.py', './_base_/digit_crops.py']
paper = 'Table 1'
axes = dict(transferred=dict(
    base=['../faster_rcnn_r18_digits_pretrained_prune80.py',
          '../mask_rcnn_r18_digits_pretrained_prune80.py',
          '../keypoint_rcnn_r18_digits_pretrained_prune80.py'],
    transfer=[dict(source='{crops80}/round_1/final.pth', mapping='backbone')]))
