#!/bin/sh
# aggregator_test.sh SOURCE_DIR BIN_DIR - global-query as a daemon: configuration check, reload, metrics, resolvers, end.
set -eu
. "$1/tests/e2e/daemons.sh"

hosts() {
    "$bin/goquery" hosts --identity.key alice.key --identity.trusted_keys trusted_keys --query.server.addr "$server" "$@"
}

for k in "aggregator hub" "agent office" "agent dmz" "user alice"; do
    # shellcheck disable=SC2086
    key new $k
done
key trust hub.pub office.pub dmz.pub alice.pub --into trusted_keys

# ---- check of the configuration: each mistake is named ----
check() { # text wanted, then flags
    want=$1
    shift
    if "$bin/global-query" --check-config "$@" >out 2>&1; then
        case $want in fine* | *warning*) ;; *) fail "accepted: $*" ;; esac
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
    # line of the file, key, what is wrong
    while IFS='|' read -r line want; do
        printf '# one\n%b\n' "$line" >bad.conf
        check "bad.conf:$want" $good -c bad.conf
    done <<TABLE
server: 5|2: server: expected settings below it
server:\n  addr: '127.0.0.1:99999'|3: server.addr: expected host:port
server: {addr: 'unix:'}|2: server.addr: expected an absolute path
server: {addr: '10.0.0.256:8145'}|2: server.addr: expected an IPv4 address or a name
fleet: a\nfleet: b|3: fleet: appears twice
fleet: [a]|2: fleet: expected a single value
limits: {user_weights: {alice: 0}}|2: limits.user_weights.alice: expected a whole number
limits: {query_memory: 10}|2: limits.query_memory: expected 1048576
hosts: {resolvers: [{type: ldap}]}|2: hosts.resolvers.0: unknown resolver "ldap"
hosts:\n  resolvers:\n  - {type: string}\n  - {type: file, config: none}|5: hosts.resolvers.1: resolver file: cannot open none
hosts: {resolvers: [{config: x}]}|2: hosts.resolvers.0: type is missing
connections: {backoff_min: 20s, backoff_max: 1s}|2: connections.backoff_min: is longer
metrics: {addr: '0.0.0.0:1'}|2: metrics.addr: .*loopback
metrics: {allow_remote: maybe}|2: metrics.allow_remote: expected true or false
logging: {level: loud}|2: logging.level: expected one of
audit: {max_size: 5Q}|2: audit.max_size: expected a size
TABLE
    echo 'ids: [a, "b,c"]' >ids.yaml
    printf 'hosts: {resolvers: [{type: static, config: ids.yaml}]}\n' >bad.conf
    check 'ids.yaml:1: ids: "b,c" can.t be a host ID' $good -c bad.conf
    printf 'servers: [nonsense]\n' >dns.yaml
    printf 'hosts: {resolvers: [{type: dns, config: dns.yaml}]}\n' >bad.conf
    check 'dns.yaml:1: servers: expected addresses\|without c-ares' $good -c bad.conf
    printf 'tracing: {enabled: true}\n' >bad.conf
    check '^global-query: warning: bad.conf:1: tracing: no effect' $good -c bad.conf
    check 'fine: 0 hosts' -c "$src/deploy/systemd/global-query.yaml" $good \
        --querier.config "$src/deploy/systemd/endpoints.yaml"
    GLOBAL_QUERY_QUERIER_CONFIG=missing.yaml "$bin/global-query" --check-config --identity.key hub.key \
        --identity.trusted_keys trusted_keys >out 2>&1 && fail "environment ignored"
}

# ---- the same of an agent ----
agent() { # text wanted, then arguments of goprobe
    want=$1
    shift
    "$bin/goprobe" "$@" >out 2>&1 </dev/null && case $want in *fine*) ;; *) fail "accepted: goprobe $*" ;; esac
    grep -q -- "$want" out || fail "goprobe $*: expected \"$want\""
}
cat >agent.conf <<CONF
db: {path: /nowhere}
interfaces: {lo: {ring_buffer: {block_size: 1048576, num_blocks: 4}}}
api: {addr: [unix:/nowhere/sock], key_file: office.key, trusted_keys: trusted_keys}
CONF
agent 'fine' -c agent.conf --check-config
agent 'hub.key: the key is of kind aggregator, expected agent' -c agent.conf --check-config --api.key_file hub.key
agent 'none.key does not exist' -c agent.conf --check-config --api.key_file none.key
agent 'none.trusted' -c agent.conf --check-config --api.trusted_keys none.trusted
agent 'api.metrics_allow_remote: true permits it' -c agent.conf --check-config --api.metrics --api.metrics_addr 0.0.0.0:1
"$bin/goprobe" -c agent.conf --check-config --db.path /else >out 2>&1 || fail "a flag over the file"
! grep warning out || fail "a flag over the file is no unknown key"
mkdir empty
good="serve --db empty --key office.key --trusted-keys trusted_keys"
# shellcheck disable=SC2086
{
    agent 'of kind aggregator, expected agent' $good --listen 127.0.0.1:0 --key hub.key
    agent '--listen: expected host:port' $good --listen nonsense
    agent '--dial-out: expected host:port' $good --listen 127.0.0.1:0 --dial-out foo
    agent 'is not a loopback address$' $good --listen "unix:$dir/serve.sock" --metrics 0.0.0.0:1
}

# ---- a running one ----
for host in office dmz; do
    import "$host"
    serve "$host"
    printf '%s:\n  addr: %s\n' "$host" "$addr" >"$host.yaml"
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
"$bin/global-query" server -c hub.conf --server.addr "$server" >out 2>&1 && fail "an address in use"
tail -n 1 out | grep -q '^global-query: .*in use' || fail "an address in use is not the last line"
grep -q 'msg="configuration" .*note="hub.conf:6: misspelt: unknown key, ignored"' hub.log || fail "no warning about a misspelt key"
until_ok grep -q '^metrics on' hub.log
metrics=$(sed -n 's/^metrics on //p' hub.log)

hosts any >out || fail "goquery hosts"
grep -q office out || fail "office is not listed"
ask alice -q any || fail "a query"
page "$metrics" >out || fail "metrics page"
grep -q '^global_query_queries_total{outcome="ok"} 1$' out || fail "query not counted"
grep -q '^global_query_hosts{state="connected"} 1$' out || fail "host not counted"
page "${metrics%metrics}-/ready" | grep -q ready || fail "not ready"

printf 'attic: {addr: "127.0.0.1:1", disabled: true}\n' | cat office.yaml dmz.yaml - >hosts.yaml
kill -HUP "$hub"
until_ok grep -q 'configuration read again.*hosts=3' hub.log
has_dmz() { ask alice -q any && grep -q ',10\.30\.0\.80,' out; }
has_dmz || fail "the new host has no rows"
if grep attic out; then fail "a disabled host is part of any"; fi
hosts any >out || fail "goquery hosts"
grep -q 'attic.*disabled' out || fail "a disabled host is not listed as that"
ask alice -q @edge --query.hosts-resolver-type file || fail "resolver file"
grep -q ',10\.30\.0\.80,' out || fail "the group has no rows"

# another default: for queries that name no resolver, which goquery's do; the list is signed
echo 'ids: [dmz]' >ids.yaml
printf 'hosts: {resolver: {type: static, config: ids.yaml}}\nlimits: {max_waiting: 31}\n' >static.conf
sed -i '/^hosts:/d' hub.conf
cat static.conf >>hub.conf
kill -HUP "$hub"
read_twice() { [ "$(grep -c "configuration read again" hub.log)" = 2 ]; }
until_ok read_twice
until_ok grep -q 'changed settings need a restart.*keys=limits$' hub.log
ask alice -q zz || true
grep -q 'Host zz returned with error "not found": unknown host' out || fail "goquery does not name string"
ask alice -q zz --query.hosts-resolver-type '' || fail "the default resolver"
grep -q ',10\.30\.0\.80,' out || fail "the default resolver has no rows"
grep -q 'msg="query".* hosts=zz ok=1 failed=0' hub.log || fail "the default resolver has hosts beyond its list"

echo 'dmz: {addr: nonsense}' >hosts.yaml
kill -HUP "$hub"
until_ok grep -q 'reload failed, nothing was changed' hub.log
has_dmz || fail "a bad reload did harm"

kill "$hub"
code=0
wait "$hub" || code=$?
[ $code = 0 ] || fail "exit code $code after SIGTERM"
ask alice -q any && fail "answers after its end"
echo ok
