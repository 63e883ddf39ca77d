#!/bin/sh
# renewal_test.sh SOURCE_DIR BIN_DIR - certificates near their end are renewed over the channel: an agent's by the
# aggregator that dials it, an aggregator's by the one it dials. TEST_ROUNDS > 1 also waits until the old ones are over.
set -eu
. "$1/tests/e2e/daemons.sh"

life_s=40 # what is left of them; the rest of their validity is over
short() { # KIND NAME: key and a certificate near its end
    key new "$1" "$2"
    key trust "$2.pub" --not-before "$((now - 400))" --not-after "$((now + life_s))" >"$2.line"
    key sign-csr "$2.line" --by acme.key -o "$2.crt"
    cp "$2.crt" old/
}
said_of() { "$bin/gpkey" show "$1" | sed '/issuing certificate/,$d; /^ /!d'; } # without the issuer's
until_of() { said_of "$1" | sed -n 's/^ *valid until *//p'; }
serial_of() { said_of "$1" | sed -n 's/^ *serial *//p'; }
scope_of() { said_of "$1" | sed '/^ *\(serial\|issuer key\|valid\)/d'; }
renewed() { ! cmp -s "$1.crt" "old/$1.crt"; }
counted() { page "$1" | grep '^rpc_certificates_renewed_total' | grep -qv ' 0$'; }

mkdir old
key init acme
key trust acme.pub --into trusted_keys
key issue issuer eu --by acme.key --may-sign agent,aggregator --max-days 1
key issue aggregator hub --by acme.key --days 5
key issue user alice --by acme.key --days 5
import office
now=$(date +%s)
short agent office
short aggregator top
key verify office.crt top.crt --trust trusted_keys

serve office
printf 'office:\n  addr: %s\n' "$addr" >hosts.yaml
start hub "$bin/global-query" server --server.addr 127.0.0.1:0 --identity.key hub.key --identity.trusted_keys trusted_keys \
    --querier.config hosts.yaml --issuer.key eu.key --metrics.addr 127.0.0.1:0
printf 'hub:\n  addr: %s\n  kind: aggregator\n  hosts: office\n' "$addr" >above.yaml
start top "$bin/global-query" server --server.addr 127.0.0.1:0 --identity.key top.key --identity.trusted_keys trusted_keys \
    --querier.config above.yaml --metrics.addr 127.0.0.1:0
server=$addr

until_ok renewed office
until_ok renewed top
for name in office top; do
    key verify $name.crt --trust trusted_keys
    [ "$(grep -c fleetprobe-cert-v1 $name.crt)" = 2 ] || fail "$name: not by an issuing key"
    [ "$(serial_of $name.crt)" != "$(serial_of old/$name.crt)" ] || fail "$name: the serial number stayed"
    until_of $name.crt >until
    [ "$(until_of old/$name.crt | cat - until | sort | tail -n 1)" = "$(cat until)" ] || fail "$name: not longer than before"
    [ "$(scope_of $name.crt)" = "$(scope_of old/$name.crt)" ] || fail "$name: more than the validity changed"
done
for name in hub top; do
    until_ok counted "$(sed -n 's/^metrics on //p' $name.log)"
done
for name in office top; do
    until_ok grep -q 'certificate renewed"' $name.log
done
ask alice -q office || fail "a query after the renewal"
grep -q ',10\.20\.0\.10,' out || fail "no rows after the renewal"

if [ "${TEST_ROUNDS:-1}" -gt 1 ]; then
    while [ "$(date +%s)" -le $((now + life_s)) ]; do sleep 1; done
    if "$bin/gpkey" -q verify old/office.crt --trust trusted_keys 2>/dev/null; then fail "the old certificate still counts"; fi
    ask alice -q office || fail "a query after the end of the old certificates"
fi
echo ok
