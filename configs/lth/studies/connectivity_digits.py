"""Linear mode connectivity on digits: from which point on is training stable to SGD noise?

Two children of each rewinding point, dense and as tickets, whose data come in another order. The
lines between them are measured once the study is finished:

    python tools/connectivity.py WORK_DIR/connectivity_digits -o report
"""
_base_ = './_base_/digits.py'
axes = dict(children=dict(
    to=['0it', '5%', '25%', '50%'], schedule=['resume'], sparsity=[0.0, 0.8], noise=[1, 2]))
