#!/usr/bin/env python
"""Draw a ticket from a checkpoint that is there already, the model zoo's too."""
import argparse
import sys

from mmengine.config import DictAction

from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.from_checkpoint import draw_from_checkpoint


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('checkpoint', help='the trained weights, a path or URL')
    parser.add_argument('-o', '--out', required=True, help='e.g. ticket.safetensors')
    parser.add_argument('--sparsity', type=float,
                        help="fraction to remove, e.g. 0.8 (default: the PruneHook's)")
    parser.add_argument('--rewind', metavar='CHECKPOINT',
                        help='take the start weights from here, e.g. round_0/rewind.pth '
                        '(default: the trained weights)')
    parser.add_argument('--candidate', metavar='FILE',
                        help='an early-bird mask (early_bird/candidate_*.safetensors) to take '
                        'instead of drawing one')
    parser.add_argument('--image', metavar='FILE', help="allocation 'compute': count multiply-adds "
                        'on this image (default: the first of the validation data)')
    parser.add_argument('--lth', metavar='OVERRIDE', help='a config file merged over CONFIG')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help="settings merged over the config, e.g. default_hooks.prune.scope")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        ticket = draw_from_checkpoint(
            load_config(args.config, args.lth, args.cfg_options), args.checkpoint,
            args.sparsity, args.rewind, args.candidate, args.image)
        ticket.save(args.out)
    except UserError as error:
        sys.exit(f'Error: {error}')
    print(f'{args.out}: {masks.pruned(ticket.mask):,} of {masks.size(ticket.mask):,} weights '
          'in scope are pruned')


if __name__ == '__main__':
    main()
