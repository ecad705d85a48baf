#!/usr/bin/env python
"""Read what a training would read, before it does: annotations, boxes, classes, images."""
import argparse
import sys

from mmengine.config import DictAction

from mmlth.core.errors import UserError
from mmlth.engine.chain.data_check import check_loaders, details, table
from mmlth.engine.config import load_config


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog='Exits with 1 if something would end the training.')
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('--all', action='store_true',
                        help='decode every image (default: 200 of each data set)')
    parser.add_argument('--lth', metavar='OVERRIDE', help='a config file merged over CONFIG')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings merged over the config, e.g. '
                        'train_dataloader.dataset.data_root=data/mine/')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        looks = check_loaders(load_config(args.config, args.lth, args.cfg_options), args.all)
    except UserError as error:
        sys.exit(f'Error: {error}')
    print('\n\n'.join(filter(None, [table(looks), details(looks)])))
    sys.exit(1 if any(look.fatal for look in looks) else 0)


if __name__ == '__main__':
    main()
