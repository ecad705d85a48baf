#!/usr/bin/env python
"""Linear mode connectivity: the error along the straight line between two trained networks."""
import argparse
import sys

from mmlth.analysis.connectivity import connect
from mmlth.analysis.measure.connectivity import LineSettings
from mmlth.core.errors import UserError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('networks', nargs='+', metavar='WORK_DIR',
                        help='work dirs of lotteries, whose last tickets are taken, of studies '
                        '(with study.json), or checkpoints WORK_DIR/round_K/NAME.pth. Of two the '
                        'line from one to the other; of more, those between all that differ in '
                        'RewindHook(noise=...) alone')
    parser.add_argument('--points', type=int, default=LineSettings.points,
                        help='on each line, its ends included (default: %(default)s)')
    parser.add_argument('--images', type=int, default=LineSettings.images,
                        help="training images that batch norm's statistics are estimated with at "
                        'each point (default: %(default)s)')
    parser.add_argument('--json', metavar='FILE', help='also write all numbers to FILE')
    parser.add_argument('-o', '--out', help='also write a report with figures into this folder')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        print(connect(args.networks, LineSettings(args.points, args.images), args.json, args.out))
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
