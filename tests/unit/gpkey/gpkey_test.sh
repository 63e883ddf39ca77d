#!/bin/sh
# gpkey_test.sh GPKEY - the life of keys and certificates on the command line.
set -eu
g=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
    echo "FAILED: $*"
    cat out 2>/dev/null || true
    exit 1
}
ok() { "$g" "$@" >out 2>&1 || fail "exit code $? of: gpkey $*"; }
no() { # part of the message, then the command
    want=$1
    shift
    if "$g" "$@" >out 2>&1; then fail "succeeded: gpkey $*"; fi
    grep -q -- "$want" out || fail "no '$want' in the output of: gpkey $*"
}

# Small fleets: keys and trusted_keys lines.
ok new agent fw-1
ok new user alice
no 'never overwritten' new user alice
[ "$(stat -c %a alice.key)" = 600 ] || fail "mode of alice.key"
ok trust fw-1.pub alice.pub --into tk
ok trust alice.pub --roles query --hosts 'fw*' --max-span 31d --into tk
[ "$(grep -c '^[^#]' tk)" = 2 ] || fail "a line was added instead of replaced"
grep -q '^user alice .* roles=query hosts=fw\* max-span=31d$' tk || fail "options in tk"
no 'roles=admin' trust alice.pub --roles admin
no 'expected KIND' new agent
no 'robot' new robot r2
ok show alice.key
if grep -qF "$(cut -d' ' -f4 alice.key)" out; then fail "show prints the secret"; fi
chmod 640 alice.key
no 'chmod 600' show alice.key
chmod 600 alice.key

# Fleets with certificates.
ok init acme
no 'kind' issue robot r2 --by acme.key
ok trust acme.pub --into ft
ok issue agent fw-2 --by acme.key --days 10
ok issue issuer eu --by acme.key --hosts 'eu-*' --max-days 90
ok issue user bob --by eu.key --hosts eu-1 --days 90
ok issue agent eu-2 --by eu.key # within what the issuer may give, without a word
grep -q 'hosts       eu-\*$' out || fail "scope of the issuer"
ok verify eu-2.crt --trust ft
ok new agent eu-3
ok request eu-3.key
ok sign-csr eu-3.csr --by eu.key # the same for a request that names no hosts
grep -q 'hosts       eu-\*$' out || fail "scope of the issuer, of a request"
no '(hosts)' sign-csr eu-3.csr --by eu.key --hosts '*'
ok request eu-3.key --hosts 'us-*' -o wide.csr
no '(hosts)' sign-csr wide.csr --by eu.key
no '(hosts)' issue user eve --by eu.key --hosts '*'
[ ! -e eve.key ] || fail "a key without certificate stayed"
no 'signed by the key of the fleet' issue issuer below --by eu.key
[ ! -e below.key ] || fail "an issuing key that nobody accepts stayed"
no '(kind)' issue gateway gw --by eu.key --hosts eu-1 --days 9
no 'ordinary user' issue user eve --by alice.key
ok issue issuer hubs --by acme.key --may-sign aggregator
ok issue aggregator hub --by hubs.key --days 9 # its roles are among those of the issuer by default
ok request alice.key --roles query,live
ok show alice.csr
grep -q 'what        certificate request$' out || fail "a request is shown as what it is"
grep -q 'roles       query,live$' out || fail "roles asked for, shown"
sed 's/\(.\{6\}\)\(.\{6\}\)\(....\)$/\2\1\3/' alice.csr >forged.csr
no 'forged.csr: the request of .alice. is not signed by its own key' show forged.csr
ok sign-csr alice.csr --by acme.key --days 3
grep -q 'roles       query,live$' out || fail "roles asked for"
ok verify fw-2.crt bob.crt alice.crt --trust ft
ok show fw-2.crt bob.crt
ok revoke alice.crt --by acme.key --list ft.revoked
ok revoke eu.crt --by acme.key --list ft.revoked
grep -q 'number 2, 2 entries' out || fail "number of the list"
ok show ft.revoked
[ "$(grep -c '^  serial ' out)" = 2 ] || fail "entries of the list"
no 'at most 36500 days' renew fw-2.crt --by acme.key --days 99999999999
no 'revoked' verify alice.crt --trust ft
no 'revoked' verify bob.crt --trust ft
ok verify fw-2.crt --trust ft
ok renew alice.crt --by acme.key --days 5
ok verify alice.crt --trust ft
ok revoke alice.pub --by acme.key --list ft.revoked
no 'revoked' verify alice.crt --trust ft

# A lost host: its certificate was renewed since the copy at hand, so the key is what to revoke.
ok issue agent fw-9 --by acme.key --days 10
cp fw-9.crt old.crt
ok renew fw-9.crt --by acme.key
ok revoke old.crt --by acme.key --list ft.revoked
grep -q 'stay good; to end them all: --key' out || fail "no word about renewed certificates"
ok verify fw-9.crt --trust ft
no "the certificate of 'fw-9' was revoked (ft.revoked)" renew old.crt --by acme.key --list ft.revoked
no 'no such list' renew old.crt --by acme.key --list none.revoked
ok revoke --key old.crt --by acme.key --list ft.revoked
no 'revoked' verify fw-9.crt --trust ft
no 'is a serial number' revoke --key 00112233445566778899aabbccddeeff --by acme.key --list ft.revoked
cp ft.revoked trusted_keys.revoked # where programs read it, beside the key of the fleet
no "the certificate of 'fw-9' was revoked (trusted_keys.revoked)" renew fw-9.crt --by acme.key
mkdir elsewhere && cp fw-9.crt elsewhere
no 'was revoked' renew elsewhere/fw-9.crt --by acme.key
ok renew fw-2.crt --by acme.key
ok issue agent fw-10 --by acme.key # and the .pub file that issue leaves does it
grep -q 'fw-10.pub  keep it' out || fail "no word about the .pub file"
no 'fw-10.crt is a certificate; expected' trust fw-10.crt
ok revoke fw-10.pub --by acme.key --list ft.revoked
no 'revoked' verify fw-10.crt --trust ft
rm trusted_keys.revoked

# Nothing outlives the issuing key that signed it, and both commands say so.
ok issue issuer short --by acme.key --days 1
until=$(grep 'valid until' out)
ok issue agent fw-11 --by short.key
grep -q "'fw-11' ends with the issuing key 'short'" out || fail "no word about the end of the issuing key"
grep -q "^$until$" out || fail "outlives its issuing key"
ok verify fw-11.crt --trust ft
grep -q "good: agent fw-11, until $(echo "$until" | sed 's/.*until *//; s/ .*//')$" out || fail "end in verify"
no 'no fleet key' revoke fw-2.crt --by eu.key --list other.revoked
no 'unknown command' frobnicate

# Under a pass phrase: from a file, a descriptor, or the terminal, which must not echo it.
printf 'correct horse\n' >pass
chmod 600 pass
export FLEETPROBE_PASSPHRASE_FILE=pass
ok new user carol --seal
grep -q '^fleetprobe-sealed-v1 user carol 3 262144 ' carol.key || fail "carol.key is not sealed"
[ "$(stat -c %a carol.key)" = 600 ] || fail "mode of a sealed key"
unset FLEETPROBE_PASSPHRASE_FILE
python3 - "$g" <<'PY' >out 2>&1 || fail "pass phrase from the terminal"
import os, pty, sys, termios, time
pid, tty = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "unseal", "carol.key"])
said = b""
while b"Pass phrase for carol.key: " not in said:
    said += os.read(tty, 1000)
assert not termios.tcgetattr(tty)[3] & termios.ECHO, "echo is on"
os.write(tty, b"correct horse\n")
try:
    while chunk := os.read(tty, 1000):
        said += chunk
except OSError:
    pass # the other end is closed
print(said)
assert b"horse" not in said and b"not sealed any more" in said
assert os.waitpid(pid, 0)[1] == 0
PY
grep -q '^fleetprobe-key-v1 user carol ' carol.key || fail "carol.key is still sealed"
if setsid -w "$g" seal carol.key >out 2>&1 </dev/null; then fail "sealed without a pass phrase"; fi
grep -q 'no terminal' out || fail "no word about the terminal"
printf 'correct horse\n' | FLEETPROBE_PASSPHRASE_FD=0 "$g" seal carol.key >out 2>&1 || fail "pass phrase from a descriptor"
grep -q '^fleetprobe-sealed-v1 ' carol.key || fail "carol.key is not sealed again"
