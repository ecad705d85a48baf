#!/usr/bin/env python
"""Evaluate a checkpoint, dense or ticket: MMDetection's tools/test.py."""
import argparse
import inspect
import os
import sys
from pathlib import Path

from mmengine.config import DictAction
from mmengine.runner import Runner

from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.evaluation import evaluation_config
from mmlth.engine.hook_configs import class_of
from mmlth.engine.loading import read_weights
from mmlth.engine.ranks import leave_group


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('checkpoint', help='e.g. work_dirs/NAME/round_1/final.pth')
    parser.add_argument('--work-dir', help='where the log goes '
                        '(default: work_dirs/NAME_OF_CONFIG/test)')
    parser.add_argument('--out', help='dump the predictions to this .pkl file')
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument('--show-dir', help='save pictures of the predictions here')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds per shown image')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings merged over the config')
    parser.add_argument('--sparse', action='store_true',
                        help='on the CPU, with the surviving weights alone')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def add_outputs(cfg, args):
    """Let the visualization hook draw, and a metric dump the predictions."""
    if args.show or args.show_dir:
        hook = (cfg.get('default_hooks') or {}).get('visualization')
        if hook is None:
            raise UserError('--show needs default_hooks.visualization in the config')
        hook.update(show=args.show, wait_time=args.wait_time)
        # The hooks of the libraries call the same things by other names.
        known = inspect.signature(class_of(cfg, hook) or object).parameters
        names = ('draw', 'test_out_dir') if 'draw' in known else ('enable', 'out_dir')
        hook.update(dict(zip(names, (True, args.show_dir))))
    if args.out:
        if not args.out.endswith(('.pkl', '.pickle')):
            raise UserError(f'--out must end in .pkl, got {args.out}')
        evaluators = cfg.test_evaluator
        evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.out)]
    return cfg


def check_test(cfg, checkpoint):
    """Raise a UserError where there is nothing to test, or nothing to test it with."""
    missing = [key for key in ('model', 'test_dataloader', 'test_cfg', 'test_evaluator')
               if cfg.get(key) is None]
    if missing:
        raise UserError(f'the config has no {", no ".join(missing)}: there is nothing to test')
    if '://' not in checkpoint:
        read_weights(checkpoint, 'meta')


def main():
    args = parse_args()
    try:
        cfg = evaluation_config(load_config(args.config, cfg_options=args.cfg_options))
        check_test(cfg, args.checkpoint)
        cfg.launcher, cfg.load_from, cfg.resume = args.launcher, args.checkpoint, False
        cfg.work_dir = args.work_dir or str(
            Path('work_dirs') / Path(args.config).stem / 'test')
        if args.sparse:
            cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='mmlth.SparseHook')]
        Runner.from_cfg(add_outputs(cfg, args)).test()
        leave_group()
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
