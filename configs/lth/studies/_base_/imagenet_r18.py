# Tickets of the ResNet-18 classifier on ImageNet: one for all seeds.
sources = dict(
    imagenet50=dict(base='../resnet18_imagenet_prune50.py', seed=0),
    imagenet80=dict(base='../resnet18_imagenet_prune80.py', seed=0),
    imagenet90=dict(base='../resnet18_imagenet_prune90.py', seed=0))
