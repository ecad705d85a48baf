"""mAP against the iteration that weights are reset to, on digits."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2b'
axes = dict(rewinding=dict(to=['0it', '5%', '75%']))
