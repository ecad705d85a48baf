#!/usr/bin/env python
"""Check that the lottery works on every config that MMDetection and MMPose ship.

Needs no data, no weights and no GPU. Takes about half an hour for both libraries on one core.
"""
import argparse
import sys
from functools import partial
from pathlib import Path

from mmlth.core.errors import UserError
from mmlth.core.files import write_json, write_text
from mmlth.zoo import coverage, failures, to_dict, to_markdown, to_text

OVERRIDE = Path(__file__).resolve().parents[1] / 'configs/lth/overrides/prune80.py'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pattern', nargs='?', default='', metavar='FILTER',
                        help='only configs whose name this regular expression is found in')
    parser.add_argument('--library', nargs='+', default=['mmdet', 'mmpose'], metavar='NAME',
                        help='default: mmdet mmpose')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='models checked at a time, each in up to 11 GiB (default: 1)')
    parser.add_argument('--json', metavar='FILE', help='write all results there')
    parser.add_argument('--markdown', metavar='FILE', help='write the table per family there')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        results = coverage(args.library, str(OVERRIDE), args.pattern, args.jobs,
                           say=partial(print, file=sys.stderr, flush=True))
        if args.json:
            write_json(args.json, to_dict(results))
        if args.markdown:
            write_text(args.markdown, to_markdown(results))
    except UserError as error:
        sys.exit(f'Error: {error}')
    print(to_text(results))
    sys.exit(1 if failures(results) else 0)


if __name__ == '__main__':
    main()
