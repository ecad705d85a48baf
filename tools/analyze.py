#!/usr/bin/env python
"""From finished lotteries and studies to one report: tables, figures, verdicts."""
import argparse
import sys

from mmlth.analysis import analyze
from mmlth.core.errors import UserError
from mmlth.report.guard import Guard


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR',
                        help='work dirs of lotteries, of studies (with study.json), or folders '
                        'that hold runs/')
    parser.add_argument('-o', '--out', required=True, help='folder of the report')
    parser.add_argument('--import', action='append', default=[], dest='imports', metavar='MODULE',
                        help='a module that registers analyses of yours (mmlth.registry.ANALYSES), '
                        "beside those that the lotteries' configs import (custom_imports); may be "
                        'given several times')
    parser.add_argument('--title', default='Lottery tickets', help='heading of the report')
    return parser.parse_args()


def main():
    args, guard = parse_args(), Guard()
    try:
        page = analyze(args.work_dirs, args.out, title=args.title, guard=guard,
                       imports=args.imports)
    except UserError as error:
        sys.exit(f'Error: {error}')
    print(page)
    if guard.failed:
        sys.exit(guard.text())


if __name__ == '__main__':
    main()
