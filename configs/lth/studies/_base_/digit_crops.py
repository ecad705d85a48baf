# Tickets of the classifier of single digits, in the place of ImageNet's. All begin with the dense
# classifier that the detectors begin with, and one serves all seeds.
classifier = 'work_dirs/resnet18_digit_crops_prune80/round_0/'
sources = dict(
    crops50=dict(
        base='../resnet18_digit_crops_prune50.py', seed=0,
        dense=classifier + 'final.pth', point=classifier + 'rewind.pth'),
    crops80=dict(
        base='../resnet18_digit_crops_prune80.py', seed=0,
        dense=classifier + 'final.pth', point=classifier + 'rewind.pth'),
    crops90=dict(
        base='../resnet18_digit_crops_prune90.py', seed=0,
        dense=classifier + 'final.pth', point=classifier + 'rewind.pth'))
del classifier
