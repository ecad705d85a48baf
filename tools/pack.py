#!/usr/bin/env python
"""Pack a trained ticket into one small file that mmlth.sparse.load makes a model of."""
import argparse
import os
import sys

from mmengine.config import DictAction

from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.packed import pack


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('checkpoint', help='e.g. work_dirs/NAME/round_1/final.pth')
    parser.add_argument('-o', '--out', required=True, help='e.g. model.safetensors')
    parser.add_argument('--half', action='store_true',
                        help='keep the surviving values in float16 (default: exactly)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings merged over the config')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        packed = pack(load_config(args.config, cfg_options=args.cfg_options), args.checkpoint,
                      args.half)
        packed.save(args.out)
    except UserError as error:
        sys.exit(f'Error: {error}')
    weights = sum(keep.numel() for keep in packed.mask.values())
    size = os.path.getsize(args.out)
    print(f'{args.out}: {size / 1e6:.2f} MB'
          + (f', {size / weights:.3f} bytes per masked weight' if weights else ''))


if __name__ == '__main__':
    main()
