"""Tickets on photographs: keypoints of few persons, by MMPose and by Keypoint R-CNN, one seed.

First: `images/` and `person_keypoints_{train,val}.json`, a cut of COCO, in `data/coco_person`, and
the ImageNet weights of a ResNet-18, with torchvision's names, in `data/resnet18.pth`. A file
without layer4 will do: layer4 then starts at random.
"""
cfg_options = {'model.backbone.init_cfg.checkpoint': 'data/resnet18.pth'}
models = ['../td_hm_r18_coco_person_prune80.py', '../keypoint_rcnn_r18_coco_person_prune80.py']
axes = dict(
    sparsity=dict(base=models, sparsity=[0.8]),
    controls=dict(base=models, control=['dense', 'random_mask']))
metric = dict(
    td_hm_r18_coco_person_prune80=['coco/AP', 'coco/AP .5'],
    keypoint_rcnn_r18_coco_person_prune80=['coco/keypoints_mAP', 'coco/keypoints_mAP_50'])
del models
