"""Stock configs made small: tiny images, few of them, no pretrained weights."""
from pathlib import Path

from mmengine.config import ConfigDict
from mmengine.registry import HOOKS
from toy_ticket import WatchZeros

from mmlth.engine.config import load_config
from mmlth.engine.afresh import remove_pretrained

OVERRIDE = str(Path(__file__).parents[1] / 'configs/lth/overrides/prune80.py')
SIZES = {(640, 640): (96, 96), (416, 416): (96, 96), (1280, 1280): (192, 192),
         (-320, -320): (-48, -48), (320, 640): (64, 128), (1333, 800): (160, 96),
         (320, 320): (96, 96), (1024, 1024): (96, 96)}
COCO = ('coco80', ('annotations/instances_train2017.json', 'train2017/'),
        ('annotations/instances_val2017.json', 'val2017/'))
PERSON = ('coco_person', ('person_keypoints_train.json', 'images/'),
          ('person_keypoints_val.json', 'images/'))

USED = {'default_scope', 'model', 'train_dataloader', 'val_dataloader', 'val_cfg',
        'val_evaluator', 'optim_wrapper', 'param_scheduler', 'default_hooks', 'custom_hooks',
        'env_cfg', 'visualizer', 'runner_type'}


@HOOKS.register_module(force=True)
class WatchTicketRounds(WatchZeros):
    """Round 0 has no ticket to watch."""

    def after_train_iter(self, runner, **kwargs):
        if any(hasattr(hook, 'ticket') for hook in runner.hooks):
            super().after_train_iter(runner, **kwargs)
            Path(runner.work_dir, 'watched').write_text(str(self.seen))


def shrink(value, sizes, key=''):
    """The config with small images and no Albumentations, an optional dependency."""
    if isinstance(value, dict):
        for name in value:
            value[name] = shrink(value[name], sizes, name)
    elif isinstance(value, list):
        value[:] = [shrink(item, sizes, key) for item in value
                    if not (isinstance(item, dict) and item.get('type') == 'Albumentation')]
    if not isinstance(value, tuple) or value in sizes:
        return sizes.get(value, value) if isinstance(value, tuple) else value
    large = key in ('scale', 'scales', 'crop_size') and min(value) > 300
    return tuple(max(64, size // 8) for size in value) if large else value


def tiny_config(name, work_dir, data, images, epochs=2, options=None, sizes=None):
    """Two rounds of ``epochs`` epochs, each of three iterations.

    ``images`` is :data:`COCO` or :data:`PERSON`, below the folder ``data``; ``options`` are
    merged over the config; ``sizes`` are more image sizes and what they become.
    """
    folder, train, val = images
    root = data / folder
    cfg = load_config(name, OVERRIDE, {
        'default_hooks.rewind.to': '1it', 'val_evaluator.ann_file': str(root / val[0]),
        'model.test_cfg.score_thr': 0.0})
    remove_pretrained(cfg.model)
    cfg.merge_from_dict(options or {})
    by_epoch = 'max_iters' not in cfg.train_cfg
    length = epochs if by_epoch else 3 * epochs
    cfg.default_hooks.checkpoint.update(interval=length, save_best='auto', max_keep_ckpts=-1)
    for key in set(cfg) - USED:     # half of the time would go into writing them down
        cfg.pop(key)
    for loader, (file, folder) in ((cfg.train_dataloader, train), (cfg.val_dataloader, val)):
        loader.update(batch_size=min(2, loader.batch_size), num_workers=0,
                      persistent_workers=False)
        loader.pop('prefetch_factor', None)
        if loader.dataset.type == 'RepeatDataset':
            loader.dataset.times = 1
        dataset = loader.dataset.get('dataset', loader.dataset)
        dataset.pop('bbox_file', None)      # of a person detector; else boxes are annotated
        dataset.update(data_root=str(root), ann_file=file, data_prefix=dict(img=folder),
                       indices=6)
    cfg.train_cfg = dict(by_epoch=by_epoch, val_interval=length,
                         **{'max_epochs' if by_epoch else 'max_iters': length})
    cfg.custom_hooks = list(cfg.get('custom_hooks') or [])
    for hook in cfg.custom_hooks:
        if hook.type.endswith('PipelineSwitchHook'):
            hook.switch_epoch = 1
        elif hook.type == 'YOLOXModeSwitchHook':
            hook.num_last_epochs = 0        # it switches one epoch before the last ones
    cfg.custom_hooks.append(ConfigDict(type='WatchTicketRounds'))
    cfg.work_dir, cfg.randomness, cfg.latency = str(work_dir), dict(seed=0), False
    shrink(cfg._cfg_dict, {**SIZES, **(sizes or {})})
    return cfg
