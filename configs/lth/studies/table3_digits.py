"""Which modules to prune, on digits: base, top, RPN and head of Faster R-CNN C4."""
_base_ = './_base_/digits.py'
base = '../faster_rcnn_r18_c4_digits_pretrained_prune80.py'
paper = 'Table 3'
axes = dict(
    modules=dict(scope=[
        ['base'], ['top'], ['rpn'], ['head'], ['base', 'top'], ['base', 'top', 'rpn', 'head']]),
    longer=dict(control=['dense']))
