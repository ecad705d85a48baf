#!/usr/bin/env python
"""Check that what a lottery left on disk keeps its promises; name the first that is broken."""
import argparse
import sys

from mmlth.core.errors import UserError
from mmlth.engine.verify import verify


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('path', metavar='WORK_DIR_OR_FILE',
                        help="a lottery's work dir, the folder of a round or of any training, "
                        'a ticket (.safetensors) or a checkpoint (.pth)')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        lines = verify(args.path)
    except UserError as error:
        sys.exit(f'Error: {error}')
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
