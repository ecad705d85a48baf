"""Methods at equal cost, on digits: what each reaches for how much training.

One-shot tickets and three rounds, gradual pruning, SET, RigL, SNIP, fine-tuning, signs, and the
dense model trained on. What is sparse, or gets so, within one training from the initialisation
needs no dense model: it costs one training, and the others' dense model is what all are compared
with.
"""
_base_ = './_base_/digits_small.py'
cfg_options = {
    'default_hooks.prune.floor': 0.02,  # the base's 10 % leaves nothing to choose at 90 %
    'default_hooks.rewind.to': '0it'}
sparsity = [0.8, 0.9]
axes = dict(
    one_shot=dict(to=['5%'], sparsity=sparsity),
    rounds=dict(to=['5%'], rounds=[3], sparsity=sparsity),
    signs=dict(to=['5%'], mode=['signs'], sparsity=sparsity),
    # As long as a ticket, at the last learning rate.
    fine_tuning=dict(mode=['finetune'], length=['100%'], sparsity=sparsity),
    snip=dict(score=['snip'], batches=[4], dense=[False], sparsity=sparsity),
    gradual=dict(update=[dict(type='gradual', interval=25)], dense=[False], sparsity=sparsity),
    dynamic=dict(update=[dict(type='set', interval=25), dict(type='rigl', interval=25)],
                 score=['random'], allocation=['erk'], dense=[False], sparsity=sparsity),
    longer=dict(control=['dense']))
del sparsity
