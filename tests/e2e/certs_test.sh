#!/bin/sh
# certs_test.sh SOURCE_DIR BIN_DIR - a fleet that knows nothing but its fleet key: certificates in handshakes,
# queries and trailers, an issuing key, scopes, revocation.
set -eu
. "$1/tests/e2e/daemons.sh"

hup() { for p in $pids; do kill -HUP "$p"; done; }

key init acme
key trust acme.pub --into trusted_keys
key issue issuer eu --by acme.key
key issue agent office --by acme.key
key issue agent dmz --by eu.key --days 5
key issue aggregator hub --by acme.key
key issue user alice --by eu.key --days 5
key issue user bob --by acme.key --hosts dmz
for host in office dmz; do
    import "$host"
    serve "$host"
    printf '%s:\n  addr: %s\n' "$host" "$addr" >>hosts.yaml
    [ "$host" = dmz ] || office=$addr
done
start hub "$bin/global-query" server --server.addr 127.0.0.1:0 --identity.key hub.key \
    --identity.trusted_keys trusted_keys --querier.config hosts.yaml
hub=$addr server=$hub

ask alice -q any || fail "alice through the aggregator"
[ "$(grep -c ',10\.20\.0\.10,\|,10\.30\.0\.80,' out)" -gt 2 ] || fail "no rows for alice"
ask bob -q dmz || fail "bob on his host"
ask bob -q office || true
grep -q 'Host office returned with error "denied": .*not allowed to ask this host' out || fail "bob's scope did not hold at the hub"
server=$office
ask bob -q office && fail "bob asked an agent beyond his scope"
server=$hub
grep -q 'user=bob.*not allowed to ask this host' office.log || fail "bob's scope did not hold"

# Renewed by hand: a reload takes it.
key renew office.crt hub.crt --by acme.key --days 300
hup
for name in office hub; do until_ok grep -q 'certificate read again' $name.log; done
ask alice -q office || fail "alice after the renewal by hand"
grep -q 'certificate read again' dmz.log && fail "the certificate of dmz did not change"

key revoke alice.crt --by acme.key --list revoked
cp revoked trusted_keys.revoked
hup
n=0
while ask alice -q any; do # until all have read it
    n=$((n + 1))
    [ $n -le 100 ] || fail "alice still gets answers"
    sleep 0.1
done
grep -q 'revoked\|not trusted' out || fail "alice is not told why"
ask bob -q dmz || fail "bob after the revocation"

# Another key of the fleet, while all goes on: both are trusted, certificates move, the old one goes.
reloads() { grep -c 'trusted keys read again\|configuration read again' "$1.log"; }
reloaded() { # all daemons, since the marks were taken
    [ "$(reloads office)" -gt "$a" ] && [ "$(reloads dmz)" -gt "$b" ] && [ "$(reloads hub)" -gt "$c" ]
}
reload() { a=$(reloads office) b=$(reloads dmz) c=$(reloads hub); hup; until_ok reloaded; }
key init next
key trust next.pub --into trusted_keys
reload
key renew hub.crt bob.crt --by next.key
reload
ask bob -q dmz || fail "bob, half way to another fleet key"
key renew office.crt dmz.crt --by next.key
reload
ask bob -q dmz || fail "bob, under another fleet key"
sed -i '/^fleet acme /d' trusted_keys
rm trusted_keys.revoked # of the old fleet
reload
ask bob -q dmz || fail "bob, without the old fleet key"
grep -q ',10\.30\.0\.80,' out || fail "no rows under another fleet key"
