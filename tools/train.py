#!/usr/bin/env python
"""Train a config: MMDetection's tools/train.py, with lottery tickets."""
import argparse
import os
import sys
from pathlib import Path

from mmengine.config import DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmlth.core.errors import UserError
from mmlth.engine.amp import use_masked_amp
from mmlth.engine.chain.lottery_runner import LotteryRunner
from mmlth.engine.chain.opening import is_begun
from mmlth.engine.config import load_config
from mmlth.engine.hook_configs import find_hook
from mmlth.engine.hooks import PruneHook, RewindHook
from mmlth.engine.ranks import leave_group
from mmlth.engine.types import class_of_type


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('--lth', metavar='OVERRIDE',
                        help='a config file merged over CONFIG, which may be a stock one')
    parser.add_argument('--dense', metavar='CHECKPOINT',
                        help='a lottery: the dense model, trained already; round 0 evaluates it')
    parser.add_argument('--rewind', metavar='CHECKPOINT',
                        help='with --dense: an early checkpoint of its training, which tickets '
                        'are rewound to')
    parser.add_argument('--work-dir', help='where logs, checkpoints and tickets go '
                        '(default: work_dirs/NAME_OF_CONFIG)')
    parser.add_argument('--amp', action='store_true',
                        help='automatic mixed precision; masks are kept')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the batch size')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='go on where the work dir stands; finished rounds are '
                        'skipped (CHECKPOINT: only for configs without a lottery)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings merged over the config, e.g. '
                        'train_dataloader.batch_size=4 default_hooks.prune.sparsity=0.9')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def build_config(args):
    cfg = load_config(args.config, args.lth, args.cfg_options)
    cfg.launcher = args.launcher
    for value, option, kind, setting in ((args.dense, '--dense', PruneHook, 'dense'),
                                         (args.rewind, '--rewind', RewindHook, 'point')):
        if value is not None:
            hook = find_hook(cfg, kind) if is_lottery(cfg) else None
            if hook is None:
                raise UserError(f'{option} belongs to a lottery: give a config with a LotteryRunner'
                                f' and a {kind.__name__}, or --lth OVERRIDE')
            hook[setting] = value
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = Path(args.config).stem
        cfg.work_dir = str(Path('work_dirs') / (
            f'{name}_{Path(args.lth).stem}' if args.lth else name))
    if args.amp:
        use_masked_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise UserError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        resume(cfg, args.resume)
    return cfg


def is_lottery(cfg):
    kind = class_of_type(RUNNERS, cfg.get('runner_type', 'Runner'), cfg.get('default_scope'))
    return kind is not None and issubclass(kind, LotteryRunner)


def resume(cfg, checkpoint):
    if not is_lottery(cfg):
        cfg.resume = True
        cfg.load_from = None if checkpoint == 'auto' else checkpoint
    elif checkpoint != 'auto':
        raise UserError('a lottery resumes from its work dir: give --resume without a checkpoint')
    else:       # a first start begins with load_from
        cfg.resume = is_begun(Path(cfg.work_dir))


def main():
    args = parse_args()
    try:
        cfg = build_config(args)
        (RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)).train()
        leave_group()
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
