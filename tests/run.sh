#!/bin/sh
# run.sh [quick|full] - install what is needed, build, and run all tests.
#
#   quick  release build and its tests only
#   full   (default) release; clang build, whose fuzzers run beside the rest; cppcheck and clang-tidy;
#          ASan + UBSan with coverage; TSan on the threaded rooms; report pages in headless Chromium
#          (290 MB installed; quick does that with TEST_BROWSER=1). Slow rounds: tests/nightly.sh
#
# FUZZ_SECONDS (default 30; 0 = skip) of processor time per fuzzer; JOBS the number of parallel jobs.
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
if [ "$mode" = full ]; then
    step "clang build: fuzzers and programs; the tests are read only"
    build fuzz fuzzers programs
    clang_reads build-fuzz
    [ "$fuzz_s" = 0 ] || fuzz_begin build-fuzz "$fuzz_s"
fi
step "tests"
export TEST_BROWSER="${TEST_BROWSER:-}"
tests_of release build
[ "$mode" = full ] || finish

step "cppcheck"
cppcheck_all build || failed="$failed cppcheck"
step "clang-tidy (without the path analysis, which is for the night)"
tidy build '-clang-analyzer-*'

step "ASan + UBSan build (gcc), which also counts what is reached"
find build-coverage -name '*.gcda' -delete 2>/dev/null || :
build coverage
step "tests under ASan + UBSan"
GCOV_ERROR_FILE=/dev/null tests_of asan build-coverage -LE 'style|nosan'
step "coverage"
coverage build-coverage || failed="$failed coverage"

step "TSan build (gcc) of the threaded rooms' tests"
threaded='base|exec|rpc|flow|serve|fleet|fanout|tsan'
configure tsan >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
# shellcheck disable=SC2046 # names without blanks
build tsan programs $(targets_of build-tsan -L "$threaded" -LE 'nosan|notsan')
step "threaded rooms under TSan"
# Fixed addresses: gcc 12's TSan does not start when the kernel randomises mappings widely.
on_tests="setarch -R"
tests_of tsan build-tsan -L "$threaded" -LE 'nosan|notsan'
on_tests=

if [ "$fuzz_s" != 0 ]; then
    step "fuzzers ($fuzz_s s of processor time each), what is left of them"
    fuzz_end
fi
finish
