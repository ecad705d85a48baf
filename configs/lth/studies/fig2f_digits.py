"""Early-bird tickets on digits: masks of every tenth, their IoU with the last, their mAP."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2f'
axes = dict(
    # The curve of IoU, and the default ticket.
    curve={'default_hooks.early_bird': [dict(type='mmlth.EarlyBirdHook', interval=120)]},
    stages={'default_hooks.early_bird': [
        dict(type='mmlth.EarlyBirdHook', interval=120, stop=dict(at=f'{tenth}0%'))
        for tenth in range(1, 10)]})
