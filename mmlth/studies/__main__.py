"""One job of a study, the process that ``tools/study.py`` starts: ``python -m mmlth.studies``."""
import argparse
import sys
from pathlib import Path

from mmlth.core.errors import UserError

from .one import run_dense, run_one
from .study import load_study


def main() -> None:
    """Parse the arguments and run the job."""
    parser = argparse.ArgumentParser(prog='python -m mmlth.studies', description=__doc__)
    parser.add_argument('study')
    parser.add_argument('--work-dir', type=Path, required=True)
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument('--run', metavar='NAME', help='the lottery of that name')
    job.add_argument('--dense', metavar='NAME', help='the dense training that it begins with')
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    args = parser.parse_args()
    try:
        study = load_study(args.study)
        if args.dense:
            run_dense(study, args.work_dir, args.dense, args.launcher)
        else:
            run_one(study, args.work_dir, args.run, args.launcher)
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
