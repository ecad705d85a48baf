"""Write the embedded digits data set (mmlth.datasets.make_digits)."""
import argparse

from mmlth.datasets import make_digits


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--root', default='data/digits', help='folder to make')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--train', type=int, default=1600, metavar='N', help='training scenes')
    parser.add_argument('--val', type=int, default=400, metavar='N', help='validation scenes')
    parser.add_argument('--size', type=int, default=224, metavar='PX', help='width and height')
    return parser.parse_args()


def main():
    args = vars(parse_args())
    try:
        root = make_digits(args.pop('root'), **args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'make_digits: {error}') from None
    print(f'The digits data set is in {root}')


if __name__ == '__main__':
    main()
