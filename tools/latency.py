#!/usr/bin/env python
"""Measure a ticket on the CPU, dense and sparse: the whole model, its parts, its layers."""
import argparse
import os
import sys

os.environ['CUDA_VISIBLE_DEVICES'] = ''     # before anything looks for a GPU

from mmengine.config import DictAction  # noqa: E402

from mmlth.core.errors import UserError, check_count  # noqa: E402
from mmlth.core.files import write_json  # noqa: E402
from mmlth.engine.config import load_config  # noqa: E402
from mmlth.engine.example import example  # noqa: E402
from mmlth.engine.latency import latency, to_text  # noqa: E402
from mmlth.engine.pruned_model import pruned_model  # noqa: E402


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config file, or mmdet::path or mmpose::path')
    parser.add_argument('checkpoint', nargs='?', help='e.g. work_dirs/NAME/round_1/final.pth')
    parser.add_argument('--sparsity', type=float, default=0.8, help='without a checkpoint: '
                        "prune the config's initial weights (default: 0.8)")
    parser.add_argument('--allocation', default='global', help='likewise (default: global)')
    parser.add_argument('--shape', nargs=2, type=int, metavar=('H', 'W'),
                        help="of the network's input (default: as the test pipeline has it)")
    parser.add_argument('--image', metavar='FILE', help='default: noise')
    parser.add_argument('--threads', nargs='+', type=int, default=[1], metavar='N')
    parser.add_argument('--repeats', type=int, default=10, help='of each measurement')
    parser.add_argument('--no-compile', action='store_true', help='leave out torch.compile')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings merged over the config')
    parser.add_argument('--json', metavar='FILE', help='also write the figures of the first N '
                        'to FILE, those of further ones in its list more_threads')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        for name, counts in dict(threads=args.threads, repeats=[args.repeats]).items():
            for count in counts:
                check_count(name, count)
        cfg = load_config(args.config, cfg_options=args.cfg_options)
        batch = example(cfg, args.image, args.shape)
        model = pruned_model(cfg, args.checkpoint, args.sparsity, args.allocation, batch=batch)
        results = []
        for threads in args.threads:
            results.append(latency(model, batch, threads, args.repeats, not args.no_compile))
            print(to_text(results[-1]), end='\n\n')
        if args.json:
            write_json(args.json, dict(results[0], more_threads=results[1:]))
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
