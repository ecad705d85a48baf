#!/usr/bin/env python
"""Measure a ticket's training step (time and memory), drawing, file and sparse inference.

Ratios are medians over pairs of neighbouring calls, so that other work on the machine
touches both sides. The full run takes five to ten minutes and 10 GB of memory on two
cores, nearly all of it for torch.topk on 350 M weights; `--sizes 44e6` leaves that out. The
part `sparse` takes as long again: layers, then whole models, with one thread and with two.
"""
import argparse
import sys

import torch

PARTS = ('step', 'draw', 'ticket', 'sparse')


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='+', choices=PARTS, default=PARTS, help='parts to run')
    parser.add_argument('--sizes', nargs='+', type=lambda text: int(float(text)),
                        help='numbers of weights to draw from (default: 44e6 350e6)')
    parser.add_argument('--sparsity', type=float, default=0.8)
    parser.add_argument('--repeats', type=int, help='of each measurement (default: 15)')
    parser.add_argument('--threads', type=int, help="torch's threads")
    parser.add_argument('--device', default='cpu', help='for step and draw, e.g. cuda:0')
    parser.add_argument('--quick', action='store_true',
                        help='tiny sizes, to see that it runs; the figures mean nothing')
    parser.add_argument('--json', metavar='FILE', help='also write the figures to FILE')
    return parser.parse_args()


def main():
    args = parse_args()
    # Here, because every process that measures memory imports this file again.
    from mmlth.benchmark.draw import bench_draw
    from mmlth.benchmark.machine import machine
    from mmlth.benchmark.sparse import bench_sparse
    from mmlth.benchmark.step import bench_step
    from mmlth.benchmark.table import to_text
    from mmlth.benchmark.ticket import bench_ticket
    from mmlth.core.files import write_json
    if args.threads:
        torch.set_num_threads(args.threads)
    repeats = args.repeats or (2 if args.quick else 15)
    sizes = args.sizes or ([300_000] if args.quick else [44_000_000, 350_000_000])
    parts = dict(
        step=lambda: bench_step(args.sparsity, repeats, args.quick, args.device),
        draw=lambda: bench_draw(args.sparsity, repeats, sizes, args.device),
        ticket=lambda: bench_ticket(args.sparsity, repeats, args.quick),
        sparse=lambda: bench_sparse(repeats, args.quick, args.threads))
    here = machine(args.device)
    rows = []
    for part in PARTS:
        if part in args.only:
            print(f'measuring: {part} ...', file=sys.stderr)
            rows += parts[part]()
    print(to_text(here, rows))
    if args.json:
        write_json(args.json, dict(machine=here, sparsity=args.sparsity, repeats=repeats,
                                   quick=args.quick, rows=rows))


if __name__ == '__main__':
    main()
