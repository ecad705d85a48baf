#!/usr/bin/env bash
# From a fresh machine to a pruned detector: set up, make the digits, find their ticket.
# Run it again to go on after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
export PATH="$PWD/.venv/bin:$PATH" PYTHONWARNINGS=ignore
export CUDA_VISIBLE_DEVICES=''  # the mmcv of set-up has no CUDA ops
export OMP_NUM_THREADS=1        # two processes, each on a core
readonly NAME=faster_rcnn_r18_digits_demo_prune80

echo "The demo: train a detector of handwritten digits, prune 80 % of it, train the ticket."
echo "About 4 minutes on 2 cores; ETA is in the log lines."
python tools/make_digits.py --root data/digits_small --size 96 --train 2000 --val 200
PORT=$(python -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])') \
    bash tools/dist_train.sh "configs/lth/$NAME.py" 2 --resume ||
    { echo "The demo failed: the first lines with an error say why. If the config was changed" \
           "since the last start, delete work_dirs/$NAME and run again." >&2; exit 1; }
echo "Report: work_dirs/$NAME/report.html"
