#!/usr/bin/env python
"""Run a study: many lotteries that differ in a few settings, and one table of results."""
import argparse
import sys
from pathlib import Path

from mmlth.core.errors import UserError
from mmlth.studies import load_study, run_study
from mmlth.studies.results import write_results
from mmlth.studies.run import is_finished, run_dense, run_one


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('study', help='a study file, e.g. configs/lth/studies/modules_voc.py')
    parser.add_argument('--work-dir', type=Path,
                        help='where its runs go (default: work_dirs/studies/NAME_OF_STUDY)')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='processes at a time; the cores are shared among them (default: 1)')
    parser.add_argument('--retries', type=int, default=1, metavar='N',
                        help='how often a failed run is started again (default: 1)')
    parser.add_argument('--dry-run', action='store_true', help='list the runs, start none')
    parser.add_argument('--run', metavar='NAME', help='only this run, in this process')
    parser.add_argument('--dense', metavar='NAME',
                        help='only this shared dense training, in this process')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        study = load_study(args.study)
        work_dir = (args.work_dir or Path('work_dirs/studies') / study.name).absolute()
        if args.dry_run:
            for run in study.runs:
                print(f'{"finished" if is_finished(work_dir, run) else "to do":<9}{run.name}')
        elif args.dense:
            run_dense(study, work_dir, args.dense)
        elif args.run:
            run_one(study, work_dir, args.run)
        else:
            failed = run_study(study, args.study, work_dir, args.jobs, args.retries)
            print(write_results(study, work_dir))
            print(f'{len(study.runs) - failed} of {len(study.runs)} runs are finished: {work_dir}')
            sys.exit(1 if failed else 0)
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
