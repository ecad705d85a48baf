"""The same detector from scratch, on digits: what pretraining changes.

The paper (4.3) explains by pretraining that it hardly matters which iteration weights are reset to.
From scratch all layers have to be trained, and batch norm's statistics; so they are in the
pretrained detector beside it, which differs in its start alone.
"""
_base_ = './_base_/digits.py'
cfg_options = {
    'model.backbone.frozen_stages': -1,
    'model.backbone.norm_eval': False}
points = ['0it', '5%', '25%', '50%', '75%', '90%']
scratch = {'model.backbone.init_cfg': [None]}
axes = dict(
    direct=dict(scratch, sparsity=[0.5, 0.8, 0.9]),
    rewinding=dict(scratch, schedule=['resume'], to=points),
    pretrained=dict(schedule=['resume'], to=points),
    controls=dict(scratch, control=['fresh_weights', 'random_mask', 'dense']),
    longer=dict(control=['dense']))
del points, scratch
