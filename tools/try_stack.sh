#!/usr/bin/env bash
# Run all tests in an environment of other releases, made beside .venv:
#
#   bash tools/try_stack.sh TORCH MMENGINE [MMCV] [-- PYTEST OPTIONS]
#   bash tools/try_stack.sh 2.1.2 0.10.4
#   PYTHON=python3.9 bash tools/try_stack.sh 1.13.1 0.10.4 2.0.1 -- tests/test_core
#
# PyTorch comes with its torchvision; where the registry has a CUDA build alone, that takes
# 5 GB and runs on the CPU. mmcv (default 2.1.0) is compiled once for each PyTorch.
set -euo pipefail
cd "$(dirname "$0")/.."

positional=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do positional+=("$1"); shift; done
[ $# -eq 0 ] || shift
if [ ${#positional[@]} -lt 2 ] || [ ${#positional[@]} -gt 3 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
export MMLTH_TORCH="${positional[0]}" MMLTH_MMENGINE="${positional[1]}"
export MMLTH_MMCV="${positional[2]:-2.1.0}"
export MMLTH_VENV=".venv-torch$MMLTH_TORCH-mmengine$MMLTH_MMENGINE"
exec bash tools/run_tests.sh "$@"
