"""A ticket of 80 % and its controls, on digits, five seeds.

Its mask with fresh weights, its weights under a random and a shuffled mask, the trained weights
under its mask (fine-tuning), and the dense model trained as long as both rounds.
"""
_base_ = './_base_/digits.py'
seeds = [1, 2, 3, 4, 5]
axes = dict(
    controls=dict(control=[None, 'fresh_weights', 'random_mask', 'shuffled_mask', 'dense']),
    # As long as a ticket, at the last learning rate.
    fine_tuning=dict(mode=['finetune'], length=['100%']))
