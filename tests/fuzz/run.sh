#!/bin/sh
# run.sh BUILD_DIR SECONDS [JOBS] - run every libFuzzer harness for SECONDS; new inputs are not kept.
# Seeds: tests/fuzz/corpus/<name>/ and, where it exists, the dictionary tests/fuzz/corpus/<name>.dict.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
dir=$(CDPATH='' cd -- "$1/fuzz" && pwd)
secs=$2
jobs=${3:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

one() { # one HARNESS
    name=$(basename "$1")
    name=${name#fuzz_}
    mkdir -p "$work/$name/corpus"
    seeds=$top/tests/fuzz/corpus/$name
    dict=$top/tests/fuzz/corpus/$name.dict
    set -- "$1" "$work/$name/corpus"
    [ ! -d "$seeds" ] || set -- "$@" "$seeds"
    [ ! -f "$dict" ] || set -- "$@" "-dict=$dict"
    if "$@" -max_total_time="$secs" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/$name/" >"$work/$name/log" 2>&1; then
        execs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name/log")
        echo "fuzz $name: ok, ${execs:-?} inputs"
    else
        tail -n 40 "$work/$name/log"
        for f in "$work/$name"/crash-* "$work/$name"/timeout-* "$work/$name"/oom-* "$work/$name"/leak-*; do
            [ -f "$f" ] && { echo "input (base64):"; base64 "$f" | head -n 40; }
        done
        echo "fuzz $name: FAILED"
        touch "$work/failed"
    fi
}

running=0
for h in "$dir"/fuzz_*; do
    [ -x "$h" ] || { echo "run.sh: no harness in $dir" >&2; exit 1; }
    one "$h" &
    running=$((running + 1))
    if [ "$running" -ge "$jobs" ]; then
        wait
        running=0
    fi
done
wait
[ ! -e "$work/failed" ]
