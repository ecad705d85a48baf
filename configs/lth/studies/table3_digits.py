"""Which modules to prune, on digits: base (with the FPN, the model has no top), RPN and head."""
_base_ = './_base_/digits.py'
paper = 'Table 3'
axes = dict(modules=dict(scope=[
    ['base'], ['rpn'], ['head'], ['base', 'rpn', 'head']]))
