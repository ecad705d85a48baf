"""Early-bird tickets: masks of various stages, their IoU with the last one and their mAP."""
_base_ = './_base_/voc.py'
paper = 'Fig. 2f'
axes = dict(
    # The curve of IoU, and the default ticket.
    curve={'default_hooks.early_bird': [dict(type='mmlth.EarlyBirdHook', interval=500)]},
    stages={'default_hooks.early_bird': [
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='10%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='20%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='30%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='40%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='50%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='60%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='70%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='80%')),
        dict(type='mmlth.EarlyBirdHook', interval=500, stop=dict(at='90%'))]})
