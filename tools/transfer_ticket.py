#!/usr/bin/env python
"""Make the ticket of a model from the ticket, or a pruned checkpoint, of another."""
import argparse
import sys

from mmengine.config import DictAction

from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model
from mmlth.transfer import MAPPINGS, read_source, transfer


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='a ticket (.safetensors), or a checkpoint of torchvision, '
                        'timm, mmpretrain or MMDetection: pruned, or with --sparsity dense')
    parser.add_argument('config', help="the target's config, or mmdet::path or mmpose::path")
    parser.add_argument('-o', '--out', required=True, help='e.g. ticket.safetensors')
    parser.add_argument('--mapping', choices=list(MAPPINGS), default='backbone',
                        help='what goes where: a backbone into the backbone, all till the heads '
                        'between tasks, or the same names (default: backbone)')
    parser.add_argument('--sparsity', type=float,
                        help='prune a dense source here, by global magnitude, to this fraction: '
                        'the layers that find a place, but stem and shortcuts (as the paper)')
    parser.add_argument('--zeros', action='store_true',
                        help='take the zeros of the source for its mask, though they may be the '
                        'dead filters of a dense training')
    parser.add_argument('--mask-only', action='store_true', help='leave the weights behind')
    parser.add_argument('--partial', action='store_true',
                        help='go on, with a report, where tensors have another shape or the '
                        'source lacks some')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help="settings merged over the target's config")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        source = read_source(args.source, args.sparsity, args.zeros)
        model = build_model(load_config(args.config, cfg_options=args.cfg_options))
        ticket, outcome = transfer(source, model, args.mapping, weights=not args.mask_only,
                                   strict=not args.partial)
        ticket.save(args.out)
    except UserError as error:
        sys.exit(f'Error: {error}')
    print(outcome.to_text())
    print(f'Written to {args.out}. Train it with default_hooks.ticket=dict(type='
          f"'mmlth.TicketHook', ticket='{args.out}', strict=False).")


if __name__ == '__main__':
    main()
