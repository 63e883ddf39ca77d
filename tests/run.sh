#!/bin/sh
# run.sh [quick|full] - install what is needed, build, and run all tests.
#
#   quick  release build and its tests only
#   full   (default) release; cppcheck and clang-tidy; ASan + UBSan; TSan on the threaded rooms; clang
#          build with fuzz smoke; report pages in headless Chromium (290 MB installed; quick does that
#          with TEST_BROWSER=1); coverage. Slow rounds: tests/nightly.sh
#
# FUZZ_SECONDS (default 30; 0 = skip) is the time per fuzzer, JOBS the number of parallel jobs.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$top"
mode=${1:-full}
fuzz_s=${FUZZ_SECONDS:-30}
case $mode in quick | full) ;; *)
    echo "usage: tests/run.sh [quick|full]" >&2
    exit 2
    ;;
esac

[ "$mode" = quick ] || TEST_BROWSER=1
sh deploy/setup.sh test ${TEST_BROWSER:+browser}
# shellcheck source=tests/steps.sh
. tests/steps.sh

step "release build (gcc)"
build release
step "tests"
export TEST_BROWSER="${TEST_BROWSER:-}"
tests_of release build
[ "$mode" = full ] || finish

step "cppcheck"
cppcheck_all build || failed="$failed cppcheck"
step "clang-tidy (without the path analysis, which is for the night)"
tidy build '-clang-analyzer-*'

step "ASan + UBSan build (gcc)"
build asan
step "tests under ASan + UBSan"
tests_of asan build-asan -LE 'style|nosan'

step "TSan build (gcc)"
build tsan
step "threaded rooms under TSan"
# Fixed addresses: gcc 12's TSan does not start when the kernel randomises mappings widely.
on_tests="setarch -R"
tests_of tsan build-tsan -L 'base|exec|rpc|flow|serve|fleet|fanout|tsan' -LE 'nosan|notsan'
on_tests=

step "coverage build (gcc)"
build coverage
step "what the unit tests and the tools' tests reach"
coverage build-coverage || failed="$failed coverage"

if [ "$fuzz_s" != 0 ]; then
    step "clang build, fuzzers ($fuzz_s s each)"
    build fuzz
    sh tests/fuzz/run.sh build-fuzz "$fuzz_s" "$jobs" || failed="$failed fuzz"
fi
finish
