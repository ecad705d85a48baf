#!/usr/bin/env python
"""Check that the lottery works on every config that MMDetection and MMPose ship.

Needs no data, no weights and no GPU. Takes about an hour for both libraries with --jobs 2 on two
cores.
"""
import argparse
import json
import sys
from functools import partial
from pathlib import Path

from mmlth.core.errors import UserError
from mmlth.core.files import write_json, write_text
from mmlth.zoo import coverage, failures, from_dict, to_dict, to_markdown, to_text

OVERRIDE = Path(__file__).resolve().parents[1] / 'configs/lth/overrides/prune80.py'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--filter', default='', metavar='REGEX',
                        help='only configs whose name this regular expression is found in')
    parser.add_argument('--library', nargs='+', default=['mmdet', 'mmpose'], metavar='NAME',
                        help='default: mmdet mmpose')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='models checked at a time, each in up to 11 GiB (default: 1)')
    parser.add_argument('--json', metavar='FILE', type=Path,
                        help='write all results there, now and then and at the end')
    parser.add_argument('--resume', action='store_true',
                        help='do not check again what the file of --json says has passed')
    parser.add_argument('--markdown', metavar='FILE', help='write the document there')
    return parser.parse_args()


def no_file(results):
    """Without --json nothing is written."""


def main():
    args = parse_args()
    try:
        if args.resume and not (args.json and args.json.is_file()):
            raise UserError('--resume needs --json FILE of an earlier run')
        save = (lambda found: write_json(args.json, to_dict(found))) if args.json else no_file
        results = coverage(
            args.library, str(OVERRIDE), args.filter, args.jobs, save=save,
            earlier=from_dict(json.loads(args.json.read_text())) if args.resume else (),
            say=partial(print, file=sys.stderr, flush=True))
        save(results)
        if args.markdown:
            write_text(args.markdown, to_markdown(results))
    except UserError as error:
        sys.exit(f'Error: {error}')
    print(to_text(results))
    sys.exit(1 if failures(results) else 0)


if __name__ == '__main__':
    main()
