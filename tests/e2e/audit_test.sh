#!/bin/sh
# audit_test.sh SOURCE_DIR BIN_DIR - audit logs of agent and aggregator: what is in them, and gpkey audit verify.
set -eu
. "$1/tests/e2e/daemons.sh"

verify() { "$bin/gpkey" audit verify "$@" >out 2>&1; }
bad() { # text wanted, then the arguments of verify
    want=$1
    shift
    if verify "$@"; then fail "verified: $*"; fi
    grep -q -- "$want" out || fail "verify $*: expected \"$want\""
}

for k in "aggregator hub" "agent office" "user alice" "user eve"; do
    # shellcheck disable=SC2086
    key new $k
done
key trust hub.pub office.pub alice.pub --into trusted_keys
key trust eve.pub --hosts 'other-*' --into trusted_keys
import office
serve office --audit office.audit
agent=$pid
printf 'office:\n  addr: %s\n' "$addr" >hosts.yaml
sed 's/ hosts=.*//' trusted_keys >hub.trusted # the hub knows of no limits
cat >hub.conf <<CONF
server: {addr: "127.0.0.1:0"}
identity: {key: hub.key, trusted_keys: hub.trusted}
querier: {config: hosts.yaml}
audit: {file: hub.audit, keep: 2}
CONF
start hub "$bin/global-query" server -c hub.conf
server=$addr hub=$pid

ask alice -q any -c 'dport = 443 & proto = tcp' || fail "alice's query"
ask alice -q any --verify || fail "verified through the aggregator"
ask eve -q any || true # her key is not allowed to ask this host: the agent says so
for log in office.audit hub.audit; do
    grep -q '"event":"query",.*"user":"alice",.*"query":"sip,dip","ifaces":"any","condition":".*443' $log || fail "no query in $log"
    grep -q '"event":"answer",.*"user":"alice","status":"ok","rows":[1-9].*"took_us":' $log || fail "no answer in $log"
done
grep -q '"event":"answer",.*"hosts_ok":1,"hosts_failed":0' hub.audit || fail "hosts in hub.audit"
grep -q '"event":"denied",.*"peer":"hub".*"user":"eve",.*"code":"PERMISSION_DENIED","why":"the user.s key is not' office.audit ||
    fail "eve was not logged"
python3 - office.audit hub.audit <<'PY' || fail "not JSON"
import json, sys
for name in sys.argv[1:]:
    for line in open(name):
        json.loads(line)
PY

# Whoever moves the file sends SIGHUP; changes of the configuration are in it.
mv hub.audit hub.audit.old
kill -HUP "$hub"
until_ok grep -q '"event":"config","by":"SIGHUP","what":"configuration file","status":"ok"' hub.audit
printf 'office: {addr: nonsense}\n' >hosts.yaml
kill -HUP "$hub"
until_ok grep -q '"event":"config",.*"status":"failed","why":".*hosts.yaml' hub.audit

# Cut off without warning: the log goes on behind what was written.
kill -KILL "$agent"
wait "$agent" 2>/dev/null || true
printf '{"seq":9999,"ti' >>office.audit # and its last line got only half way
serve office --audit office.audit
kill "$pid"
until_ok grep -q '"event":"close"' office.audit
kill "$hub"
until_ok grep -q '"event":"close"' hub.audit
wait "$pid" "$hub" || fail "exit codes"
grep -q '"torn_bytes":15' office.audit || fail "the torn line is not mentioned"

verify office.audit --key office.pub || fail "the agent's log"
grep -q '^good: ' out || fail "the agent's log"
verify hub.audit.old hub.audit --key hub.key || fail "the aggregator's log"
bad 'another key' office.audit --key hub.pub

# Tampering: changed, removed, truncated, replaced as a whole.
sed 's/"user":"eve"/"user":"bob"/' office.audit >changed
bad "changed:$(grep -n '"event":"denied"' office.audit | head -n 1 | cut -d: -f1): its hash does not fit" changed --head office.audit.head
grep -v '"event":"denied"' office.audit >changed
bad 'missing' changed --head office.audit.head
head -n 4 office.audit >changed
bad 'truncated' changed --head office.audit.head
verify changed --key office.pub || fail "the beginning of a log"
grep -q 'no changed.head: lines cut off at the end would not show' out || fail "nothing said about the missing head"
bad 'not a line of an audit log' hosts.yaml
echo ok
