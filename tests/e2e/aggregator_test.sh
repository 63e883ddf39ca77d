#!/bin/sh
# aggregator_test.sh SOURCE_DIR BIN_DIR - global-query as a daemon: configuration check, reload, metrics, resolvers, end.
set -eu
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
cd "$dir"

fail() {
    echo "FAILED: $*"
    cat ./*.log out 2>/dev/null || true
    exit 1
}
start() { # name command...: sets addr and pid
    name=$1
    shift
    "$@" >"$name.log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    n=0
    until addr=$(grep -o 'tcp://127[0-9.]*:[1-9][0-9]*' "$name.log" | head -n 1) && [ -n "$addr" ]; do
        n=$((n + 1))
        [ $n -le 150 ] || fail "$name did not start"
        sleep 0.1
    done
}
until_ok() { # command...: within 15 s
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -le 150 ] || fail "$*"
        sleep 0.1
    done
}
page() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())' "$1"; }
ask() { # flags: the CSV goes to out
    "$bin/goquery" --identity.key alice.key --identity.trusted_keys trusted_keys --query.server.addr "$server" -i any \
        -f 1700000000 -e csv "$@" sip,dip >out 2>&1
}
hosts() {
    "$bin/goquery" hosts --identity.key alice.key --identity.trusted_keys trusted_keys --query.server.addr "$server" "$@"
}

for k in "aggregator hub" "agent office" "agent dmz" "user alice"; do
    # shellcheck disable=SC2086
    "$bin/gpkey" -q new $k
done
"$bin/gpkey" -q trust hub.pub office.pub dmz.pub alice.pub --into trusted_keys

# ---- check of the configuration: each mistake is named ----
check() { # text wanted, then flags
    want=$1
    shift
    if "$bin/global-query" --check-config "$@" >out 2>&1; then
        case $want in fine*) ;; *) fail "accepted: $*" ;; esac
    fi
    grep -q -- "$want" out || fail "check-config $*: expected \"$want\""
}
echo 'office: {addr: "10.0.0.1:8145"}' >hosts.yaml
good="--identity.key hub.key --identity.trusted_keys trusted_keys --querier.config hosts.yaml"
# shellcheck disable=SC2086
{
    check 'fine: 1 hosts' $good
    check 'identity.key: is required' --querier.config hosts.yaml
    check 'kind user, expected aggregator' $good --identity.key alice.key
    check 'missing.yaml' $good --querier.config missing.yaml
    check 'from 0 to 4096, got "many"' $good --querier.max_concurrent many
    check 'unknown resolver "ldap"' $good --hosts.resolver.type ldap
    check 'expected host:port' $good --server.addr nowhere
    printf 'a:\n  addr: 10.0.0.1:1\n  timeout: soon\n' >bad.yaml
    check 'bad.yaml:3: a.timeout: expected a duration' $good --querier.config bad.yaml
    printf 'limits:\n  max_wait: never\n' >bad.conf
    check 'bad.conf:2: limits.max_wait: expected a duration' $good -c bad.conf
    check 'fine: 0 hosts' -c "$src/deploy/systemd/global-query.yaml" $good \
        --querier.config "$src/deploy/systemd/endpoints.yaml"
    GLOBAL_QUERY_QUERIER_CONFIG=missing.yaml "$bin/global-query" --check-config --identity.key hub.key \
        --identity.trusted_keys trusted_keys >out 2>&1 && fail "environment ignored"
}

# ---- a running one ----
for host in office dmz; do
    "$bin/goprobe" --pcap "$src/tests/data/captures/$host.pcap.gz" --iface eth0 --db "$host.db" >/dev/null 2>&1 ||
        fail "import of $host"
    start $host "$bin/goprobe" serve --db "$host.db" --listen tcp://127.0.0.1:0 --key $host.key --trusted-keys trusted_keys
    printf '%s:\n  addr: %s\n' $host "$addr" >$host.yaml
done
cp office.yaml hosts.yaml
printf 'office\n@edge: dmz\n' >list
cat >hub.conf <<CONF
server: {addr: "127.0.0.1:0"}
identity: {key: hub.key, trusted_keys: trusted_keys}
querier: {config: hosts.yaml}
hosts: {resolvers: [{type: file, config: list}]}
metrics: {addr: "127.0.0.1:0"}
misspelt: 1
CONF
start hub "$bin/global-query" server -c hub.conf
server=$addr hub=$pid
grep -q 'unknown setting ignored.*misspelt' hub.log || fail "no warning about a misspelt key"
until_ok grep -q '^metrics on' hub.log
metrics=$(sed -n 's/^metrics on //p' hub.log)

hosts any >out || fail "goquery hosts"
grep -q office out || fail "office is not listed"
ask -q any || fail "a query"
page "$metrics" >out || fail "metrics page"
grep -q '^global_query_queries_total{outcome="ok"} 1$' out || fail "query not counted"
grep -q '^global_query_hosts{state="connected"} 1$' out || fail "host not counted"
page "${metrics%metrics}-/ready" | grep -q ready || fail "not ready"

cat office.yaml dmz.yaml >hosts.yaml
kill -HUP "$hub"
until_ok grep -q 'configuration read again.*hosts=2' hub.log
has_dmz() { ask -q any && grep -q ',10\.30\.0\.80,' out; }
has_dmz || fail "the new host has no rows"
ask -q @edge --query.hosts-resolver-type file || fail "resolver file"
grep -q ',10\.30\.0\.80,' out || fail "the group has no rows"

echo 'dmz: {addr: nonsense}' >hosts.yaml
kill -HUP "$hub"
until_ok grep -q 'reload failed, nothing was changed' hub.log
has_dmz || fail "a bad reload did harm"

kill "$hub"
code=0
wait "$hub" || code=$?
[ $code = 0 ] || fail "exit code $code after SIGTERM"
ask -q any && fail "answers after its end"
echo ok
