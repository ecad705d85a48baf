"""Early-bird tickets on digits: masks of various stages, their IoU with the last, their mAP."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2f'
seeds = [0]
axes = dict(
    # The curve of IoU, and the default ticket.
    curve={'default_hooks.early_bird': [dict(type='mmlth.EarlyBirdHook', interval=40)]},
    stages={'default_hooks.early_bird': [
        dict(type='mmlth.EarlyBirdHook', interval=40, stop=dict(at='10%')),
        dict(type='mmlth.EarlyBirdHook', interval=40, stop=dict(at='50%'))]})
