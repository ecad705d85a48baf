#!/usr/bin/env python
"""Print, before any training, what a lottery would prune."""
import argparse
import json
import sys
from contextlib import redirect_stdout

from mmengine.config import DictAction

from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.preview import preview, to_text


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('--lth', metavar='OVERRIDE',
                        help='a config file merged over CONFIG')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings merged over the config, e.g. '
                        'default_hooks.prune.sparsity=0.9')
    parser.add_argument('--shape', nargs=2, type=int, metavar=('H', 'W'), help="of the network's "
                        'input that multiply-adds are counted at (default: as the test pipeline '
                        'has it)')
    parser.add_argument('--json', action='store_true', help='print JSON')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        # What libraries print on the way is no part of the answer, which other programs read.
        with redirect_stdout(sys.stderr):
            result = preview(load_config(args.config, args.lth, args.cfg_options), args.shape)
    except UserError as error:
        sys.exit(f'Error: {error}')
    print(json.dumps(result, indent=2) if args.json else to_text(result))


if __name__ == '__main__':
    main()
