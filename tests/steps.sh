#!/bin/sh
# steps.sh - what run.sh and nightly.sh share: one temporary directory, builds, tests with a second try.
# Sourced from the top of the repository. Sets $work, $jobs and TMPDIR; $failed collects what went wrong.
jobs=${JOBS:-$(nproc)}
failed=
flaky=
fuzz_pid=
started=$(date +%s)
export CTEST_OUTPUT_ON_FAILURE=1 CTEST_NO_TESTS_ACTION=error
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp"

# Everything the tests write goes into one directory, which goes away also after an interrupt. Some
# tests prefer memory for thousands of syncs: what an interrupt left of those in /dev/shm goes, too.
work=$(mktemp -d)
export TMPDIR="$work"
# shellcheck disable=SC2317 # called by the trap
clean() {
    trap '' INT TERM HUP
    [ -z "$fuzz_pid" ] || kill "$fuzz_pid" 2>/dev/null || :
    rm -rf "$work"
}
# shellcheck disable=SC2317 # called by the traps
interrupted() { # interrupted EXIT-CODE
    find /dev/shm -maxdepth 1 -name 'fleetprobe-*' -user "$(id -u)" -newer "$work/started" \
        -exec rm -rf {} + 2>/dev/null || :
    exit "$1"
}
: >"$work/started"
trap clean EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM HUP

step() { printf '\n==== %s (%ss)\n' "$1" "$(($(date +%s) - started))"; }

finish() { # all parts run, so that one report shows everything that is wrong
    step "done"
    [ -z "$flaky" ] || echo "flaky (passed only the second time, alone):$flaky"
    [ -z "$failed" ] || echo "$(basename "$0"): failed:$failed" >&2
    [ -z "$failed" ]
    exit
}

build() { # build PRESET [TARGET...]: build all or the targets, quietly unless it fails
    preset=$1
    log=$work/build.log
    shift
    if ! { configure "$preset" && cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}; } >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "$(basename "$0"): build '$preset' failed" >&2
        exit 1
    fi
}

configure() { cmake --preset "$1" -DBUILD_TESTING=ON; }

targets_of() { # targets_of BUILD-DIR CTEST-ARGUMENT...: what these tests start, beside the programs
    dir=$(cd "$1" && pwd)
    shift
    # A test without a command is one whose program, of the same name, is not there yet.
    ctest --test-dir "$dir" --show-only=json-v1 "$@" | jq -r --arg dir "$dir/" '.tests[] |
        if .command then .command[] | select(startswith($dir + "tests/bin/")) | ltrimstr($dir) else .name end'
}

# Tests that watch the clock can fail on a busy machine. What failed runs once more, alone; what fails
# again is a failure, what passes then is named as flaky at the end. Many failures get no second try.
tests_of() { # tests_of NAME BUILD-DIR CTEST-ARGUMENT...
    name=$1
    dir=$2
    shift 2
    list=$dir/Testing/Temporary/LastTestsFailed.log
    rm -f "$list"
    rc=0
    $on_tests ctest --test-dir "$dir" -j "$jobs" "$@" || rc=$?
    skips_of "$dir"
    [ $rc != 0 ] || return 0
    n=0
    [ ! -f "$list" ] || n=$(wc -l <"$list")
    if [ "$n" -gt 0 ] && [ "$n" -le 10 ]; then
        again=$(sed 's/^[0-9]*://' "$list")
        step "$name: once more, alone: $(echo "$again" | paste -sd ' ')"
        if $on_tests ctest --test-dir "$dir" -R "^($(echo "$again" | sed 's/[.+]/[&]/g' | paste -sd '|'))\$"; then
            for t in $again; do
                echo "flaky: $t ($name)"
                flaky="$flaky $t"
            done
            return
        fi
    fi
    failed="$failed $name"
}

# Tests that were skipped, whole or in part, with what they said about it.
skips_of() { # skips_of BUILD-DIR
    awk '/^[0-9]+\/[0-9]+ Testing: / { name = $3; seen = "" }
        /^skipped: |^OK \(skipped=/ && !seen { seen = $0; print "skipped: " name ": " $0 }' \
        "$1/Testing/Temporary/LastTest.log" | sed 's/: skipped: /: /'
}
# shellcheck disable=SC2034 # set by run.sh
on_tests= # a command in front of ctest

sources() { # all C files but the tests, also where there is no repository (a release archive)
    { git ls-files '*.c' 2>/dev/null || find . -path './build*' -prune -o -name '*.c' -print | sed 's|^\./||'; } |
        grep -Ev '^(tests|docs)/'
}

tidy() { # tidy BUILD-DIR [CHECKS]: clang-tidy over all sources but the tests
    sources |
        xargs -P "$jobs" -n 8 clang-tidy-14 -p "$1" --quiet ${2:+"--checks=$2"} >"$work/tidy.log" 2>/dev/null ||
        {
            grep -E '(warning|error):' "$work/tidy.log" | sort -u | head -n 60
            failed="$failed clang-tidy"
        }
}

clang_reads() { # clang_reads BUILD-DIR: clang's warnings about the tests, of which it builds nothing else
    jq -r --arg tests "$(pwd)/tests/" '.[] | select(.file | startswith($tests)) | .command' "$1/compile_commands.json" |
        sed 's/ -o [^ ]* -c / -fsyntax-only /' >"$work/commands"
    (cd "$1" && xargs -P "$jobs" -d '\n' -n 1 sh -c <"$work/commands") >"$work/clang.log" 2>&1 || {
        tail -n 60 "$work/clang.log"
        failed="$failed clang"
    }
}

# Fuzzing takes more processor time than all the rest, and tests leave much of it idle: the harnesses
# run beside them and stand back.
fuzz_begin() { # fuzz_begin BUILD-DIR SECONDS
    : >"$work/busy"
    python3 tests/fuzz/run.py "$1" "$2" "$jobs" --yield-while "$work/busy" >"$work/fuzz.log" 2>&1 &
    fuzz_pid=$!
}

fuzz_end() {
    rm -f "$work/busy"
    wait "$fuzz_pid" || failed="$failed fuzz"
    fuzz_pid=
    cat "$work/fuzz.log"
}

cppcheck_all() { # cppcheck_all BUILD-DIR
    cppcheck --project="$1/compile_commands.json" --enable=warning,portability --inline-suppr --quiet "-D__VA_OPT__(...)=__VA_ARGS__" \
        --error-exitcode=1 -j "$jobs" --suppressions-list=tests/cppcheck.supp
}

# Lines and branches that the tests have reached, a line per room (a killed daemon counts nothing).
coverage() { # coverage BUILD-DIR
    gcovr --root . --object-directory "$1" --exclude tests --exclude 'build.*' -j "$jobs" \
        --gcov-ignore-parse-errors --csv "$work/coverage.csv" >"$work/gcovr.log" 2>&1 ||
        { tail -n 20 "$work/gcovr.log"; return 1; }
    python3 tests/coverage.py "$work/coverage.csv"
}
