"""mAP against sparsity, direct pruning and a classifier's tickets, on digits, five seeds."""
_base_ = ['./_base_/digits.py', './_base_/digit_crops.py']
paper = 'Fig. 2a'
seeds = [1, 2, 3, 4, 5]
axes = dict(
    direct=dict(sparsity=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97]),
    transferred=dict(transfer=[
        dict(source='{crops50}/round_1/final.pth', mapping='backbone'),
        dict(source='{crops80}/round_1/final.pth', mapping='backbone'),
        dict(source='{crops90}/round_1/final.pth', mapping='backbone')]),
    # Not in the paper: whether the dense model was trained to its end.
    longer=dict(control=['dense']))
