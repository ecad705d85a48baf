"""mAP against sparsity, direct pruning and a classifier's ticket, on digits."""
_base_ = ['./_base_/digits.py', './_base_/digit_crops.py']
paper = 'Fig. 2a'
axes = dict(
    direct=dict(sparsity=[0.3, 0.5, 0.8, 0.9]),
    transferred=dict(transfer=[
        dict(source='{crops80}/round_1/final.pth', mapping='backbone')]),
    # Not in the paper: the dense model trained as long as both rounds. These trainings are short,
    # so that a ticket above the dense model says little without it.
    longer=dict(control=['dense']))
