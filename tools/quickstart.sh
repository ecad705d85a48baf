#!/usr/bin/env bash
# From a fresh machine to a pruned detector: set up, make the digits, find their ticket.
# Run it again to go on after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
export CUDA_VISIBLE_DEVICES=''  # the mmcv of set-up has no CUDA ops
export OMP_WAIT_POLICY=PASSIVE  # threads that wait leave the core to other programs
readonly NAME=faster_rcnn_r18_digits_prune80

echo "The demo: train a detector of handwritten digits, prune 80 % of it, train the ticket."
echo "About 15 minutes on 2 cores; ETA is in the log lines."
.venv/bin/python tools/make_digits.py
.venv/bin/python -W ignore tools/train.py "configs/lth/$NAME.py" --resume ||
    { echo "The demo failed: see the last lines above. If the config was changed since the" \
           "last start, delete work_dirs/$NAME and run again." >&2; exit 1; }
echo "Report: work_dirs/$NAME/report.html"
