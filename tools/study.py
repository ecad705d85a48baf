#!/usr/bin/env python
"""Run a study: many lotteries that differ in a few settings, and the analysis of their results."""
import argparse
import signal
import sys
from pathlib import Path

from mmengine.config import DictAction

from mmlth.core.errors import UserError
from mmlth.report.guard import Guard
from mmlth.studies import dry_run, executors, load_study, run_study
from mmlth.studies.disk import Disk
from mmlth.studies.results import REPORT, write_results


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('study', help='a study file, e.g. configs/lth/studies/table3.py')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/studies'),
                        help='where runs and dense trainings go, which all studies share, and the '
                        'results of this one in a folder of its name (default: work_dirs/studies)')
    parser.add_argument('--dry-run', action='store_true', help='list the runs, start none')
    parser.add_argument('--resume', action='store_true',
                        help='go on with a study that was begun in this work dir')
    parser.add_argument('--executor', choices=executors.NAMES, default='local',
                        help="this machine, a Slurm cluster through submitit, or submitit's "
                        'stand-ins for one (default: local)')
    parser.add_argument('--jobs', type=int, metavar='N',
                        help='jobs at a time; on this machine the cores are shared among them '
                        '(default: 1; on Slurm no limit)')
    parser.add_argument('--nproc', type=int, default=1, metavar='N',
                        help='processes (GPUs) that train each run, by torchrun (default: 1)')
    parser.add_argument('--memory', type=float, default=executors.MEMORY, metavar='GB',
                        help='start a job on this machine only while so much is available '
                        '(default: %(default)g)')
    parser.add_argument('--retries', type=int, default=1, metavar='N',
                        help='how often a failed job is started again (default: 1)')
    parser.add_argument('--slurm', nargs='+', action=DictAction, metavar='KEY=VALUE', default={},
                        help='parameters of each job under the names of sbatch, e.g. '
                        'partition=gpu gpus_per_node=1 cpus_per_task=8 mem=32G time=12:00:00')
    return parser.parse_args()


def finish(study, root, failed):
    """Tell what was found, and exit: with 1 if a run, the analysis or a part of it has failed."""
    guard = Guard()
    print(write_results(study, root, guard))
    folder, none = root / study.name, 'analysis' in {**guard.failed, **guard.skipped}
    files = ['results.csv', *([] if none or not (folder / REPORT).is_file() else [REPORT])]
    print(f'{len(study.runs) - failed} of {len(study.runs)} runs are finished; '
          f'{" and ".join(files)}: {folder}')
    print(Disk(study, root).text())
    if 'analysis' in guard.skipped:
        sys.exit(f'Error: no analysis: {guard.skipped["analysis"]}')
    sys.exit(guard.text() if guard.failed else 1 if failed else 0)


def main():
    args = parse_args()
    # As Ctrl-C: what was started is ended with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        study, root = load_study(args.study), args.work_dir.absolute()
        if args.dry_run:
            print(dry_run(study, root, 1 if args.jobs is None else args.jobs))
        else:
            failed = run_study(
                study, args.study, root, resume=args.resume, executor=args.executor,
                jobs=args.jobs, retries=args.retries, nproc=args.nproc, memory=args.memory,
                slurm=args.slurm)
            finish(study, root, failed)
    except KeyboardInterrupt:
        sys.exit('Interrupted; go on with --resume.')
    except UserError as error:
        sys.exit(f'Error: {error}')


if __name__ == '__main__':
    main()
