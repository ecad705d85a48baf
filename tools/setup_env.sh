#!/usr/bin/env bash
# Make .venv in the project and install everything pinned. Run by quickstart.sh and
# run_tests.sh; safe to repeat, and to interrupt: a finished step is not done again.
#
#   PYTHON            the interpreter to use       (default: python3.11, else python3)
#   MMLTH_CACHE       where the mmcv wheel is kept (default: ~/.cache/mmlth)
#
# tools/try_stack.sh sets the rest, for other releases than the pinned ones:
#   MMLTH_VENV, MMLTH_TORCH (with its torchvision), MMLTH_MMENGINE, MMLTH_MMCV
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly TORCH="${MMLTH_TORCH:-2.13.0}" MMCV="${MMLTH_MMCV:-2.1.0}" MMENGINE="${MMLTH_MMENGINE:-0.10.7}"
readonly VENV="$PWD/${MMLTH_VENV:-.venv}"
readonly LOG="$VENV/setup.log" PY="$VENV/bin/python" WANTED="$VENV/requirements.txt"
readonly CACHE="${MMLTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mmlth}"

fail() { # fail WHAT WHAT_TO_DO
    printf '\nSet-up failed: %s. %s\n' "$1" "$2" >&2
    exit 1
}
step() { printf '[%s/5] %s\n' "$1" "$2"; }
logged() { # logged WHAT WHAT_TO_DO COMMAND...: keep the output, show its end on failure
    local what=$1 todo=$2
    shift 2
    "$@" >>"$LOG" 2>&1 && return
    tail -n 15 "$LOG" >&2
    fail "$what" "$todo Whole log: $LOG"
}
pip() { "$PY" -m pip --disable-pip-version-check "$@"; }

choose_python() {
    if [ -z "${PYTHON:-}" ]; then
        PYTHON=python3
        if python3.11 --version >/dev/null 2>&1; then PYTHON=python3.11; fi
    fi
    "$PYTHON" --version >/dev/null 2>&1 ||
        fail "there is no '$PYTHON'" "Install Python 3.11 (apt-get install python3.11-venv python3.11-dev) or set PYTHON."
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$PYTHON has no venv module" "apt-get install python3-venv"
    command -v g++ >/dev/null || fail "there is no C++ compiler" "apt-get install g++"
    [ -f "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
        fail "$PYTHON has no header files" "apt-get install python3-dev"
}

is_made() { # A virtual environment does not survive being moved or copied.
    [ "$(cat "$VENV/.made" 2>/dev/null)" = "$VENV of $("$PYTHON" --version)" ] && [ -x "$PY" ]
}

make_venv() { # anew if it is another's
    is_made && return
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV" || fail "$PYTHON could not make $VENV" "Is the disk full or the folder read-only?"
    echo "$VENV of $("$PYTHON" --version)" >"$VENV/.made"
}

write_wanted() { # the pinned packages, or what takes their place in another environment
    local edits=(-e "s/^mmengine==.*/mmengine==$MMENGINE/")
    # mmengine 0.8 calls yapf in a way that later ones do not know.
    case "$MMENGINE" in 0.8.*) edits+=(-e 's/^yapf==.*/yapf==0.40.1/') ;; esac
    # The type hints are checked with the pinned PyTorch alone; mypy needs Python 3.10.
    [ -z "${MMLTH_TORCH:-}" ] || edits+=(-e '/^(mypy|ast_serialize|librt|pathspec)/d')
    if "$PY" -c 'import sys; sys.exit(sys.version_info >= (3, 11))'; then
        # Many pins have no wheel for an older Python: take the newest that it has, but
        # for those that other packages are compiled against.
        edits+=(-e '/^(mm|numpy|opencv|xtcocotools|setuptools|importlib)/! s/==.*//'
                -e '$ a attrs\nexceptiongroup\nimportlib-resources\ntomli')
    fi
    sed -E "${edits[@]}" requirements.txt >"$WANTED"
}

check_wheels() { # the pins must exist as wheels for this Python
    pip install --quiet --dry-run --no-deps --only-binary=:all: --ignore-installed \
        -r "$WANTED" >>"$LOG" 2>&1 && return
    tail -n 3 "$LOG" >&2
    fail "pip finds no wheel of some pinned package for $("$PYTHON" --version)" \
        "Check the network, or take Python 3.11: PYTHON=python3.11 bash $0"
}

build_mmcv() { # prints the wheel's path; compiles it if this machine has none yet
    local tag dir wheel jobs header flags header_flags
    tag="torch$("$PY" -c 'import torch; print(torch.__version__)')-$("$PY" -c 'import sys; print(sys.implementation.cache_tag)')-$(uname -m)"
    dir="$CACHE/mmcv-$MMCV-$tag"
    mkdir -p "$dir" || fail "$dir cannot be made" "Set MMLTH_CACHE to a writable folder."
    exec 9>"$dir/lock"
    flock 9 # two set-ups at once compile once
    wheel=$(ls "$dir"/*.whl 2>/dev/null | head -n 1) || true
    if [ -n "$wheel" ]; then echo "$wheel" && return; fi

    # The sources stay in the cache until the wheel is there, so that ninja goes on
    # where an interrupted compilation stopped.
    if [ ! -f "$dir/mmcv-$MMCV/setup.py" ]; then
        logged "the sources of mmcv $MMCV could not be fetched" "Check the network and run again." \
            "$PY" -m pip download --quiet --no-deps --no-build-isolation --no-binary mmcv -d "$dir" "mmcv==$MMCV"
        tar -xzf "$dir/mmcv-$MMCV.tar.gz" -C "$dir"
    fi

    # Every source file includes <torch/types.h>, and parsing it takes most of the
    # compiler's time: precompile it. CFLAGS replaces Python's default flags.
    header="$dir/torch_types.h"
    flags="-DNDEBUG -g0 -fwrapv -O3 -Wall -fPIC"
    # What PyTorch's and mmcv's set-up pass to the compiler; else the header is not taken.
    header_flags=$("$PY" -c 'import torch
print("-std=c++17" if tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 1) else "-std=c++14",
      "-D_GLIBCXX_USE_CXX11_ABI=%d" % torch._C._GLIBCXX_USE_CXX11_ABI,
      *("-DPYBIND11_%s=\"%s\"" % (name, getattr(torch._C, "_PYBIND11_" + name))
        for name in ("COMPILER_TYPE", "STDLIB", "BUILD_ABI")
        if getattr(torch._C, "_PYBIND11_" + name, None)))')
    if [ ! -f "$header.gch" ]; then
        echo '#include <torch/types.h>' >"$header"
        # shellcheck disable=SC2086,SC2046
        logged "the compiler cannot read PyTorch's headers" "g++ 9 or newer is needed." \
            g++ $flags $header_flags -DTORCH_API_INCLUDE_EXTENSION_H -DTORCH_EXTENSION_NAME=_ext \
            $("$PY" -c 'import sysconfig, torch.utils.cpp_extension as e
print(*("-isystem " + p for p in e.include_paths() + [sysconfig.get_path("include")]))') \
            -x c++-header -o "$header.gch.part" "$header"
        mv "$header.gch.part" "$header.gch"
    fi
    # One compiler process takes up to 1.5 GB.
    jobs=$(awk -v n="$(nproc)" '/MemAvailable/{m=int($2/1500000); print m<1?1:(m<n?m:n)}' /proc/meminfo)
    mkdir -p "$dir/part"
    logged "mmcv did not compile" "Run again to go on where it stopped; if it stops again, look at the log." \
        env MMCV_WITH_OPS=1 MAX_JOBS="$jobs" CUDA_VISIBLE_DEVICES='' PATH="$VENV/bin:$PATH" \
        CFLAGS="$flags -include $header -Winvalid-pch" \
        "$PY" -m pip wheel --no-cache-dir --no-deps --no-build-isolation -w "$dir/part" "$dir/mmcv-$MMCV"
    mv "$dir"/part/*.whl "$dir"/
    rm -rf "$dir/part" "$dir/mmcv-$MMCV" "$dir/mmcv-$MMCV.tar.gz" "$header"*
    ls "$dir"/*.whl
}

main() {
    local stamp started wheel
    stamp="$(cat requirements.txt setup.py "${BASH_SOURCE[0]}" <(echo "$TORCH $MMENGINE $MMCV") |
        sha256sum | cut -c1-16)"
    if [ "$(cat "$VENV/.ready" 2>/dev/null)" = "$stamp $VENV" ] &&
        { [ -z "${PYTHON:-}" ] || is_made; }; then return; fi
    started=$SECONDS
    choose_python
    step 1 ".venv for $("$PYTHON" --version) (10 seconds)"
    make_venv
    write_wanted
    check_wheels
    step 2 "PyTorch $TORCH (under a minute, plus the download)"
    logged "PyTorch $TORCH could not be installed" "Check the network and the free space (5 GB)." \
        pip install --no-cache-dir "torch==$TORCH" ${MMLTH_TORCH:+torchvision} -c "$WANTED"
    step 3 "mmengine, mmdet, mmpose and what they import (about a minute)"
    logged "the pinned packages could not be installed" "Check the network and run again." \
        pip install --no-deps --only-binary=:all: -r "$WANTED"
    step 4 "mmcv $MMCV: compiled once, about 4 minutes on 2 cores; later runs take the wheel from $CACHE"
    wheel=$(build_mmcv)
    logged "mmcv's wheel could not be installed" "Delete $wheel and run again." pip install --no-deps "$wheel"
    step 5 "mmlth itself (half a minute)"
    logged "mmlth could not be installed" "" pip install --no-deps --no-build-isolation -e .
    logged "the environment does not import" "Delete $VENV and run again." \
        "$PY" -c 'import mmlth, mmcv.ops, mmdet.models, mmpose.models'
    "$PY" mmlth/sparse/build.py >>"$LOG" 2>&1 ||
        echo "The kernels for sparse inference did not compile; all else works. The reason: $LOG"
    echo "$stamp $VENV" >"$VENV/.ready"
    echo "Set-up took $((SECONDS - started)) s."
}
main
