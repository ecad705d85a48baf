"""mAP against the iteration that weights are reset to, on digits. See `fig2b.py`."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2b'
axes = dict(
    rewinding=dict(schedule=['resume'], to=['0it', '5%', '25%', '50%', '75%', '90%']),
    longer=dict(control=['dense']))
