#!/usr/bin/env bash
# Set up the environment if need be, lint, check type hints, then run all tests; options go to
# pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
export CUDA_VISIBLE_DEVICES="${CUDA_VISIBLE_DEVICES-}"  # the mmcv of set-up has no CUDA ops
export OMP_WAIT_POLICY=PASSIVE  # threads that wait leave the core to other programs
readonly BIN="${MMLTH_VENV:-.venv}/bin"
"$BIN/ruff" check --no-cache .
# The hints of PyTorch differ from release to release: ours are checked against the pinned one's.
[ -n "${MMLTH_TORCH:-}" ] || "$BIN/python" -m mypy
exec "$BIN/python" -m pytest tests -n auto --maxprocesses=8 "$@"
