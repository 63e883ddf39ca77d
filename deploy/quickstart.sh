#!/bin/sh
# quickstart.sh [--keep | --stop DIR] - build, run a small fleet on loopback, ask it, stop it.
#
# Three agents answer from databases made of real captures (tests/data/captures), an aggregator
# fans the query out. Everything lives in one temporary directory.
#   --keep      leave the fleet running and say how to ask and stop it
#   --stop DIR  stop a fleet that was kept
# FLEETPROBE_BIN=DIR uses the programs there instead of building (packages, tests).
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
bin=${FLEETPROBE_BIN:-$top/build/bin}

usage() {
    echo "usage: sh deploy/quickstart.sh [--keep | --stop DIR]" >&2
    exit 2
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# Stop the processes listed in DIR/pids ("pid start-time"), only if they are still the ones we
# started, then remove DIR.
stop_fleet() { # stop_fleet DIR
    while read -r pid born; do
        if alive "$pid" "$born"; then kill "$pid" 2>/dev/null || :; fi
    done <"$1/pids"
    n=0
    while read -r pid born; do
        while alive "$pid" "$born" && [ $n -lt 100 ]; do
            n=$((n + 1))
            sleep 0.1
        done
        if alive "$pid" "$born"; then kill -9 "$pid" 2>/dev/null || :; fi
    done <"$1/pids"
    rm -rf "$1"
}

alive() { # alive PID START-TIME
    [ -n "$2" ] && [ "$(started_at "$1")" = "$2" ]
}

started_at() { # start time of a process in clock ticks after boot; empty if it is gone
    { sed 's/.*) //' "/proc/$1/stat" | awk '$1 != "Z" { print $20 }'; } 2>/dev/null
}

keep=0
case ${1:-} in
'') ;;
--keep) keep=1 ;;
--stop)
    [ $# -eq 2 ] || usage
    if ! [ -f "$2/pids" ] || ! [ -f "$2/fleetprobe-quickstart" ]; then
        echo "quickstart.sh: $2: not the directory of a kept fleet" >&2
        exit 1
    fi
    stop_fleet "$2"
    echo "stopped"
    exit 0
    ;;
*) usage ;;
esac
[ $# -le 1 ] || usage

# ---- build ----

build() {
    sh "$top/deploy/setup.sh" build
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    if ! { cd "$top" && cmake --preset release && cmake --build --preset release --target programs; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "quickstart.sh: the build failed (end of its output above)" >&2
        exit 1
    fi
    rm -f "$log"
}
[ -n "${FLEETPROBE_BIN:-}" ] || build

# ---- a fleet ----

dir=$(mktemp -d "${TMPDIR:-/tmp}/fleetprobe.XXXXXX")
: >"$dir/pids"
: >"$dir/fleetprobe-quickstart"
stop_all() { # also a daemon that an interrupt kept from being listed
    trap '' INT TERM HUP # nothing interrupts the cleaning up
    if [ -n "${pid:-}" ]; then echo "$pid $(started_at "$pid")" >>"$dir/pids"; fi
    stop_fleet "$dir"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$dir"

start() { # start NAME COMMAND...: run in the background, wait until it listens; $addr = where
    name=$1
    shift
    : >"$name.out"
    "$@" >"$name.out" 2>"$name.log" </dev/null &
    pid=$!
    echo "$pid $(started_at "$pid")" >>"$dir/pids"
    n=0
    while addr=$(sed -n 's/^listening on //p' "$name.out") || addr=
        [ -z "$addr" ]; do
        n=$((n + 1))
        if [ $n -gt 100 ] || [ -z "$(started_at "$pid")" ]; then
            cat "$name.log" >&2
            echo "quickstart.sh: $name did not start" >&2
            exit 1
        fi
        sleep 0.1
    done
}

say "1. Keys: every program has its own, and a list of those that it trusts"
"$bin/gpkey" -q new aggregator hub
"$bin/gpkey" -q new user me -o user.key
"$bin/gpkey" -q trust hub.pub user.pub --into agents.trusted
for host in office dmz edge; do
    "$bin/gpkey" -q new agent $host
done
"$bin/gpkey" -q trust office.pub dmz.pub edge.pub user.pub --into hub.trusted
"$bin/gpkey" -q trust hub.pub office.pub dmz.pub edge.pub --into trusted_keys
echo "made in $dir"

say "2. Three sensors: captures become flow databases, agents answer queries about them"
for host in office dmz edge; do
    case $host in
    office) iface=eth0 locals="--local=10.20.0.0/16 --local=2001:db8:20::/48" ;;
    dmz) iface=eth0 locals="--local=10.30.0.0/16 --local=2001:db8:30::/48" ;;
    edge) iface=wan0 locals="--local=10.20.0.0/15 --local=10.30.0.0/16 --local=2001:db8:20::/48 --local=2001:db8:30::/48" ;;
    esac
    # shellcheck disable=SC2086 # a word list on purpose
    "$bin/goprobe" --pcap "$top/tests/data/captures/$host.pcap.gz" --iface $iface --db "$host.db" $locals |
        sed "s/^/  $host: /"
    start $host "$bin/goprobe" serve --db "$host.db" --listen tcp://127.0.0.1:0 \
        --key $host.key --trusted-keys agents.trusted
    printf '%s:\n  addr: %s\n' $host "$addr" >>hosts.yaml
done

say "3. An aggregator that knows where the sensors are"
start hub "$bin/global-query" server --server.addr 127.0.0.1:0 --identity.key hub.key \
    --identity.trusted_keys hub.trusted --querier.config hosts.yaml
server=$addr
echo "  listens on $server"

say "4. Who talks to whom, on all hosts?"
set -- --identity.key "$dir/user.key" --query.server.addr "$server"
cmd="goquery -q any -i any -f 1700000000 -n 12 sip,dip,dport,proto"
echo "  \$ $cmd"
"$bin/goquery" "$@" -q any -i any -f 1700000000 -n 12 sip,dip,dport,proto

if [ $keep = 1 ]; then
    trap - EXIT
    say "The fleet is running. Ask it:"
    echo "  alias fq='$bin/goquery --identity.key $dir/user.key --query.server.addr $server'"
    echo "  fq -q any -i any -f 1700000000 -c 'dport = 53' sip,dip"
    echo "  fq -q any -i any -f 1700000000 --sum time,proto"
    echo "  fq hosts"
    say "and stop it:"
    echo "  sh $top/deploy/quickstart.sh --stop $dir"
else
    say "That was a fleet. Next:"
    echo "  sh deploy/quickstart.sh --keep      leaves it running, to ask more questions"
    echo "  build/bin/goquery --help            explains columns, conditions and times"
    echo "  build/bin/goquery examples          shows typical questions"
fi
