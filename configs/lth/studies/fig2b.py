"""mAP against the iteration that weights are reset to."""
_base_ = './_base_/voc.py'
paper = 'Fig. 2b'
axes = dict(rewinding=dict(to=['0it', '600it', '10%', '25%', '50%', '75%', '90%']))
