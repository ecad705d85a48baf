"""Direct pruning against ImageNet's tickets: three tasks on COCO, two backbones."""
_base_ = ['./_base_/coco.py']
paper = 'Fig. 1'
sources = dict(
    r18_50=dict(base='../resnet18_imagenet_prune50.py'),
    r18_80=dict(base='../resnet18_imagenet_prune80.py'),
    r18_90=dict(base='../resnet18_imagenet_prune90.py'),
    r50_50=dict(base='../resnet50_imagenet_prune50.py'),
    r50_80=dict(base='../resnet50_imagenet_prune80.py'),
    r50_90=dict(base='../resnet50_imagenet_prune90.py'))
r18 = ['../mask_rcnn_r18_coco_prune80.py', '../keypoint_rcnn_r18_coco_prune80.py']
r50 = ['../mask_rcnn_r50_coco_prune80.py', '../keypoint_rcnn_r50_coco_prune80.py']
axes = dict(
    direct=dict(base=r18 + r50, sparsity=[0.5, 0.8, 0.9]),
    transferred_r18=dict(base=r18, transfer=[
        dict(source='{r18_50}/round_1/final.pth', mapping='backbone'),
        dict(source='{r18_80}/round_1/final.pth', mapping='backbone'),
        dict(source='{r18_90}/round_1/final.pth', mapping='backbone')]),
    transferred_r50=dict(base=r50, transfer=[
        dict(source='{r50_50}/round_1/final.pth', mapping='backbone'),
        dict(source='{r50_80}/round_1/final.pth', mapping='backbone'),
        dict(source='{r50_90}/round_1/final.pth', mapping='backbone')]))
del r18, r50
