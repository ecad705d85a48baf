"""mAP against sparsity, direct pruning and ImageNet's tickets."""
_base_ = ['./_base_/voc.py', './_base_/imagenet_r18.py']
paper = 'Fig. 2a'
axes = dict(
    direct=dict(sparsity=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
    transferred=dict(transfer=[
        dict(source='{imagenet50}/round_1/final.pth', mapping='backbone'),
        dict(source='{imagenet80}/round_1/final.pth', mapping='backbone'),
        dict(source='{imagenet90}/round_1/final.pth', mapping='backbone')]))
