"""The same detector from scratch, on digits: what pretraining changes.

The paper (4.3) explains by pretraining that it hardly matters which iteration weights are reset to.
"""
_base_ = './_base_/digits.py'
cfg_options = {'model.backbone.init_cfg': None}
axes = dict(
    direct=dict(sparsity=[0.5, 0.8, 0.9]),
    rewinding=dict(schedule=['resume'], to=['0it', '5%', '25%', '50%', '75%', '90%']),
    controls=dict(control=['fresh_weights', 'random_mask', 'dense']))
