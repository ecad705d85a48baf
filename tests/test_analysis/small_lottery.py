"""A real lottery in seconds: Faster R-CNN on a few scenes of digits."""
from pathlib import Path

from mmengine.registry import RUNNERS

from mmlth.analysis.found.runs import read_run
from mmlth.datasets.digits import make_digits
from mmlth.engine.config import load_config

ROOT = Path(__file__).resolve().parents[2]
SIZE = 96


def small_digits(folder):
    """Scenes of digits in COCO's and VOC's layout."""
    return make_digits(folder, train=12, val=8, size=SIZE)


def small_config(data, work_dir, *, sparsity=0.8, seed=0, iters=4):
    """The digits' lottery, with a fraction of its scenes and iterations."""
    data = f'{data}/'
    cfg = load_config(str(ROOT / 'configs/lth/faster_rcnn_r18_digits_prune80.py'))
    cfg.merge_from_dict({
        'work_dir': str(work_dir), 'log_level': 'WARNING', 'randomness.seed': seed,
        'latency': False,
        'train_cfg.max_iters': iters, 'train_cfg.val_interval': iters,
        'default_hooks.checkpoint.interval': iters,
        'default_hooks.prune.sparsity': sparsity,
        'param_scheduler': [dict(type='ConstantLR', factor=1.0, by_epoch=False)],
        'train_dataloader.batch_size': 4,
        'train_dataloader.dataset.data_root': data, 'val_dataloader.dataset.data_root': data,
        'val_evaluator.ann_file': data + 'annotations/instances_val.json',
        'train_dataloader.dataset.pipeline.2.scale': (SIZE, SIZE),
        'val_dataloader.dataset.pipeline.1.scale': (SIZE, SIZE)})
    # After so few iterations no score need be high, and without a box nothing is measured.
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    return cfg


def use_voc(cfg):
    """Let the config read the same scenes in VOC's layout, with VOC's metric."""
    for loader, listing in ((cfg.train_dataloader, 'trainval'), (cfg.val_dataloader, 'test')):
        loader.dataset.update(
            type='VOCDataset', ann_file=f'VOC2007/ImageSets/Main/{listing}.txt',
            data_prefix=dict(sub_data_root='VOC2007/'))
    cfg.val_evaluator = dict(type='VOCMetric', metric='mAP', eval_mode='11points')
    return cfg


def draw(data, work_dir, **kwargs):
    """A finished run."""
    RUNNERS.build(small_config(data, work_dir, **kwargs)).train()
    return read_run(work_dir)
