"""Tickets across tasks on digits: Mask R-CNN's for keypoints, and the other way round."""
_base_ = './_base_/digits.py'
paper = 'Table 4'
mask = '../mask_rcnn_r18_digits_pretrained_prune80.py'
keypoint = '../keypoint_rcnn_r18_digits_pretrained_prune80.py'
sources = dict(det_seg=dict(base=mask), keypoint=dict(base=keypoint))
axes = dict(
    direct=dict(base=[mask, keypoint], sparsity=[0.8]),
    to_det_seg=dict(base=[mask], transfer=[
        dict(source='{keypoint}/round_1/ticket.safetensors', mapping='till_heads')]),
    to_keypoint=dict(base=[keypoint], transfer=[
        dict(source='{det_seg}/round_1/ticket.safetensors', mapping='till_heads')]))
del mask, keypoint
