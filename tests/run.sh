#!/bin/sh
# run.sh [quick|full] - install what is needed, build, and run all tests.
#
#   quick  release build and its tests only
#   full   (default) release; ASan + UBSan; TSan on the threaded rooms; fuzz smoke; style checks;
#          report pages in headless Chromium (290 MB installed; quick does that with TEST_BROWSER=1)
#
# FUZZ_SECONDS (default 30; 0 = skip) is the time per fuzzer, JOBS the number of parallel jobs.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$top"
mode=${1:-full}
jobs=${JOBS:-$(nproc)}
fuzz_s=${FUZZ_SECONDS:-30}
case $mode in quick | full) ;; *)
    echo "usage: tests/run.sh [quick|full]" >&2
    exit 2
    ;;
esac

[ "$mode" = quick ] || TEST_BROWSER=1
sh deploy/setup.sh test ${TEST_BROWSER:+browser}
export CTEST_OUTPUT_ON_FAILURE=1 CTEST_NO_TESTS_ACTION=error
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# Everything the tests write goes into one directory, which goes away also after an interrupt. Some
# tests prefer memory for thousands of syncs: what an interrupt left of those in /dev/shm goes, too.
work=$(mktemp -d)
export TMPDIR="$work"
# shellcheck disable=SC2317 # called by the trap
clean() {
    trap '' INT TERM HUP
    find /dev/shm -maxdepth 1 -name 'fleetprobe-*' -user "$(id -u)" -newer "$work/started" \
        -exec rm -rf {} + 2>/dev/null || :
    rm -rf "$work"
}
: >"$work/started"
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step() { printf '\n==== %s (%ss)\n' "$1" "$(($(date +%s) - started))"; }
started=$(date +%s)
failed=

finish() { # all parts run, so that one report shows everything that is wrong
    step "done"
    [ -z "$failed" ] || echo "run.sh: failed:$failed" >&2
    [ -z "$failed" ]
    exit
}

build() { # build PRESET: configure and build, quietly unless it fails
    log=$work/build.log
    if ! { cmake --preset "$1" -DBUILD_TESTING=ON && cmake --build --preset "$1" -j "$jobs"; } >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "run.sh: build '$1' failed" >&2
        exit 1
    fi
}

step "release build (gcc)"
build release
step "tests"
TEST_BROWSER=${TEST_BROWSER:-} ctest --test-dir build -j "$jobs" || failed="$failed release"
[ "$mode" = full ] || finish

step "ASan + UBSan build (gcc)"
build asan
step "tests under ASan + UBSan"
ctest --test-dir build-asan -j "$jobs" -LE 'style|nosan' || failed="$failed asan"

step "TSan build (gcc)"
build tsan
step "threaded rooms under TSan"
# Fixed addresses: gcc 12's TSan does not start when the kernel randomises mappings widely.
setarch -R ctest --test-dir build-tsan -j "$jobs" -L 'base|exec|rpc|flow|serve|fleet|fanout|tsan' -LE 'nosan|notsan' || failed="$failed tsan"

if [ "$fuzz_s" != 0 ]; then
    step "fuzzers (clang, $fuzz_s s each)"
    build fuzz
    sh tests/fuzz/run.sh build-fuzz "$fuzz_s" "$jobs" || failed="$failed fuzz"
fi
finish
