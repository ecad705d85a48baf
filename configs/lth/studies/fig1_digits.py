"""Direct pruning against a classifier's ticket: boxes, masks, keypoints and poses of digits."""
_base_ = ['./_base_/digits.py', './_base_/digit_crops.py']
paper = 'Fig. 1'
models = ['../mask_rcnn_r18_digits_pretrained_prune80.py',
          '../keypoint_rcnn_r18_digits_pretrained_prune80.py',
          '../td_hm_r18_digits_pretrained_prune80.py']
axes = dict(
    direct=dict(base=models, sparsity=[0.5, 0.8, 0.9]),
    transferred=dict(base=models, transfer=[
        dict(source='{crops80}/round_1/final.pth', mapping='backbone')]),
    longer=dict(base=models, control=['dense']))
del models
