"""mAP against the iteration that weights are reset to.

All tickets are trained as long, from the initialisation on: those that are reset later resume
the schedule there. Restarted, one that is reset to 90 % would be trained nearly twice as long.
"""
_base_ = './_base_/voc.py'
paper = 'Fig. 2b'
axes = dict(rewinding=dict(
    schedule=['resume'], to=['0it', '600it', '10%', '25%', '50%', '75%', '90%']))
