# Short trainings from scratch: the dense model is far from its end. Three seeds. First:
# python tools/make_digits.py --root data/digits_small --size 96 --train 2000 --val 200
base = '../faster_rcnn_r18_digits_small_prune80.py'
seeds = [0, 1, 2]
metric = ['coco/bbox_mAP', 'coco/bbox_mAP_50']
