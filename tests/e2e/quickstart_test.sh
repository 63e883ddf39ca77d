#!/bin/sh
# quickstart_test.sh SOURCE_DIR BIN_DIR - the quickstart answers, keeps, stops and cleans up.
set -eu
src=$1
FLEETPROBE_BIN=$2
TMPDIR=$(mktemp -d)
export FLEETPROBE_BIN TMPDIR
clean() {
    for d in "$TMPDIR"/fleetprobe.*; do
        [ ! -d "$d" ] || sh "$src/deploy/quickstart.sh" --stop "$d"
    done
    rm -rf "$TMPDIR"
}
trap clean EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $*"
    sed 's/^/    /' "$TMPDIR/out"
    exit 1
}
left() { # directories and agents that are still there
    ls -d "$TMPDIR"/fleetprobe.* 2>/dev/null || true
    for p in /proc/[0-9]*; do
        case $({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null) in *"$TMPDIR/fleetprobe."*) echo "$p" ;; esac
    done
}

cd / # from any directory
sh "$src/deploy/quickstart.sh" >"$TMPDIR/out" 2>&1 || fail "exit code $?"
for want in ' office ' ' dmz ' ' edge ' '3 hosts: 3 ok / 0 empty / 0 error' '2001:db8:20::10' 'out of 131 in'; do
    grep -q -- "$want" "$TMPDIR/out" || fail "no '$want' in the output"
done
[ -z "$(left)" ] || fail "left behind: $(left)"

sh "$src/deploy/quickstart.sh" --keep >"$TMPDIR/out" 2>&1 || fail "--keep: exit code $?"
dir=$(sed -n 's/.*--stop //p' "$TMPDIR/out")
fq=$(sed -n "s/.*alias fq='\(.*\)'/\1/p" "$TMPDIR/out")
$fq -q any -i any -f 1700000000 -c 'dport = 53' -e csv sip,dip >"$TMPDIR/csv" || fail "kept fleet: exit code $?"
grep -q '^iface,sip,dip,packets received' "$TMPDIR/csv" || fail "kept fleet: no CSV"
$fq hosts >"$TMPDIR/hosts" || fail "goquery hosts: exit code $?"
[ "$(grep -cE 'office|dmz|edge' "$TMPDIR/hosts")" = 3 ] || fail "goquery hosts: $(cat "$TMPDIR/hosts")"
sh "$src/deploy/quickstart.sh" --stop "$dir" || fail "--stop: exit code $?"
[ -z "$(left)" ] || fail "--stop left behind: $(left)"

# Interrupted while the fleet runs: everything goes away.
sh "$src/deploy/quickstart.sh" >"$TMPDIR/out" 2>&1 &
pid=$!
n=0
until grep -q '^3\.' "$TMPDIR/out" || [ $n -gt 100 ]; do
    n=$((n + 1))
    sleep 0.05
done
kill -TERM $pid
code=0
wait $pid || code=$?
[ $code = 143 ] || [ $code = 0 ] || fail "interrupted: exit code $code"
[ -z "$(left)" ] || fail "interrupted: left behind: $(left)"

if sh "$src/deploy/quickstart.sh" --bogus >"$TMPDIR/out" 2>&1; then fail "--bogus was accepted"; fi
if sh "$src/deploy/quickstart.sh" --stop "$TMPDIR" >"$TMPDIR/out" 2>&1; then fail "--stop of anything"; fi
echo "1 passed, 0 failed"
