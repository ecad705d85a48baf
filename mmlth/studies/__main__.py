"""One job of a study, the process that ``tools/study.py`` starts: ``python -m mmlth.studies``."""
import argparse
import sys
from pathlib import Path

from mmlth.core.errors import UserError

from .load import load_study
from .evaluation import run_evaluation
from .one import run_dense, run_one


def main() -> None:
    """Parse the arguments and run the job."""
    parser = argparse.ArgumentParser(prog='python -m mmlth.studies', description=__doc__)
    # No options: torchrun takes what begins like one of its own, though it stands behind us.
    parser.add_argument('study', help='its file')
    parser.add_argument('root', type=Path, help='the work dir')
    parser.add_argument('kind', choices=['lottery', 'dense', 'evaluation'])
    parser.add_argument('name', help='of the lottery, or of one that begins with the dense model')
    parser.add_argument('launcher', choices=['none', 'pytorch'])
    parser.add_argument('rounds', nargs='*', type=int, help='that are evaluated')
    args = parser.parse_args()
    try:
        study = load_study(args.study)
        if args.kind == 'evaluation':
            run_evaluation(study, args.root, args.name, args.rounds)
        else:
            run = run_dense if args.kind == 'dense' else run_one
            run(study, args.root, args.name, args.launcher)
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
