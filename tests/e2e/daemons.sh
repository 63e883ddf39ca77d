# daemons.sh - sourced by the shell tests of daemons: a scratch directory, programs that end with the test, waiting.
# shellcheck shell=sh
src=$1 bin=$2
dir=$(mktemp -d)
pids=
clean() {
    for p in $pids; do kill "$p" 2>/dev/null || true; done
    for p in $pids; do wait "$p" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
server= # of ask: set by the test

fail() {
    echo "FAILED: $*"
    cat ./*.log out 2>/dev/null || true
    exit 1
}
until_ok() { # command...: within a minute, of which a machine that is not busy needs little
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -le 600 ] || fail "$*"
        sleep 0.1
    done
}
address_in() { addr=$(grep -o 'tcp://127[0-9.]*:[1-9][0-9]*' "$1" | head -n 1) && [ -n "$addr" ]; }
start() { # name command...: sets addr and pid
    name=$1
    shift
    rm -f "$name.log" # of an earlier run: its address is of no use
    "$@" >"$name.log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    until_ok address_in "$name.log"
}
key() { "$bin/gpkey" -q "$@" || fail "gpkey $*"; }
import() { # host...: its recorded traffic into host.db
    for db in "$@"; do
        "$bin/goprobe" --pcap "$src/tests/data/captures/$db.pcap.gz" --iface eth0 --db "$db.db" >/dev/null 2>&1 ||
            fail "import of $db"
    done
}
serve() { # host flags...: an agent of host.db with host.key; sets addr and pid
    served=$1
    shift
    start "$served" "$bin/goprobe" serve --db "$served.db" --listen 127.0.0.1:0 --key "$served.key" \
        --trusted-keys trusted_keys "$@"
}
ask() { # user flags...: from $server, the CSV goes to out
    user=$1
    shift
    "$bin/goquery" --identity.key "$user.key" --identity.trusted_keys trusted_keys --query.server.addr "$server" -i any \
        -f 1700000000 -e csv "$@" sip,dip >out 2>&1
}
page() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())' "$1"; }
