# Tickets of the ResNet-18 classifier on ImageNet.
sources = dict(
    imagenet50=dict(base='../resnet18_imagenet_prune50.py'),
    imagenet80=dict(base='../resnet18_imagenet_prune80.py'),
    imagenet90=dict(base='../resnet18_imagenet_prune90.py'))
