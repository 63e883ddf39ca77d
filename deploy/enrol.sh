#!/bin/sh
# enrol.sh NAME --by FLEET.key --server HUB:PORT [options] - take a host into a fleet: key and certificate, configuration,
# start, entry in the aggregator's table, proof that the aggregator sees it. Run again, it only does what is missing.
set -eu

usage() {
    cat <<'EOF'
enrol.sh - take a host into a fleet

Usage:
  enrol.sh NAME --by FLEET.key --server HUB:PORT [options]

  enrol.sh fw-1 --by acme.key --server hub.example.net:8146 --hub root@hub.example.net
  enrol.sh fw-2 --by acme.key --server localhost:8146 --ssh admin@192.0.2.7 --sudo --addr 192.0.2.7:8145
  enrol.sh image --by acme.key --root /srv/images/sensor

The package fleetprobe-agent is on the host already. The private key is made here, copied and not kept. Its public half
stays beside the key of --by as NAME.pub: gpkey revoke NAME.pub when the host is lost.

What:
  --by FILE             key of the fleet, or an issuing key with its .crt beside it
  --trusted-keys FILE   whom the agent trusts (default: trusted_keys beside the key of --by, else its .pub)
  --days N              validity of the certificate (default 365); it is renewed in the last month
  --groups A,B          groups of the host in the aggregator's table

The host:
  --ssh DEST            how ssh reaches it (default: NAME)
  --sudo                become root there by sudo
  --root DIR            a directory tree instead (chroot, image); nothing is started unless --start says how
  --etc DIR             directory of configuration and keys (default /etc/fleetprobe)
  --owner USER          whose keys and configuration are (default fleetprobe)
  --start COMMAND       run this there instead of systemctl
  --no-start            don't start

The aggregator:
  --server HUB:PORT     where goquery reaches it, to check
  --identity.key FILE   user's key for that (goquery's default)
  --addr HOST:PORT      where it reaches the agent (default NAME:8145), or dial-in
  --hub DEST            how ssh reaches its host (default: it is this one)
  --endpoints FILE      its table there (default /etc/fleetprobe/endpoints.yaml; none: it is complete already)
  --reload COMMAND      makes it read the table (default systemctl reload global-query)
  --wait SECONDS        for the host to be seen (default 60)

SSH in the environment is used instead of ssh.
EOF
}

die() {
    echo "enrol.sh: $*" >&2
    exit 1
}
say() { echo "$name: $*"; }

name='' by='' trusted='' days=365 groups='' dest='' sudo='' root='' etc=/etc/fleetprobe owner=fleetprobe start='' no_start=''
server='' user_key='' addr='' hub='' endpoints=/etc/fleetprobe/endpoints.yaml reload='systemctl reload global-query' wait_s=60
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --sudo) sudo=1 ;;
    --no-start) no_start=1 ;;
    --*)
        [ $# -ge 2 ] || die "$1 needs a value (see --help)"
        case $1 in
        --by) by=$2 ;;
        --trusted-keys) trusted=$2 ;;
        --days) days=$2 ;;
        --groups) groups=$2 ;;
        --ssh) dest=$2 ;;
        --root) root=$2 ;;
        --etc) etc=$2 ;;
        --owner) owner=$2 ;;
        --start) start=$2 ;;
        --server) server=$2 ;;
        --identity.key) user_key=$2 ;;
        --addr) addr=$2 ;;
        --hub) hub=$2 ;;
        --endpoints) endpoints=$2 ;;
        --reload) reload=$2 ;;
        --wait) wait_s=$2 ;;
        *) die "unknown flag $1 (see --help)" ;;
        esac
        shift
        ;;
    *)
        [ -z "$name" ] || die "one host at a time: $name or $1?"
        name=$1
        ;;
    esac
    shift
done

# ---- what is wrong with the arguments ----

[ -n "$name" ] || die "which host? (see --help)"
case $name$groups in *[!A-Za-z0-9._,-]*) die "$name $groups: names have letters, digits, '.', '_' and '-'" ;; esac
case $name in -* | .* | *,*) die "$name: not a name for a host" ;; esac
[ -n "$by" ] || die "--by: the key of the fleet is needed to sign the certificate"
[ -r "$by" ] || die "--by $by: cannot be read"
for tool in gpkey goquery; do
    command -v $tool >/dev/null || die "$tool is not here: install the package fleetprobe-tools"
done
[ -z "$root" ] || [ -d "$root" ] || die "--root $root: no such directory"
[ -z "$root" ] || [ -n "$start" ] || no_start=1
[ -n "$no_start" ] || [ -n "$server" ] || die "--server: where does the aggregator listen? (or --no-start)"
dest=${dest:-$name} addr=${addr:-$name:8145}
case $addr in dial-in | *:[0-9]*) ;; *) die "--addr $addr: expected HOST:PORT or dial-in" ;; esac
case $days$wait_s in *[!0-9]*) die "--days and --wait are whole numbers" ;; esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
umask 077

if [ -z "$trusted" ]; then
    trusted=$(dirname "$by")/trusted_keys
    if ! [ -f "$trusted" ]; then
        [ -f "${by%.key}.pub" ] || die "--trusted-keys: neither $trusted nor ${by%.key}.pub is there"
        gpkey -q trust "${by%.key}.pub" --into "$tmp/trusted_keys" || exit 1
        trusted=$tmp/trusted_keys
    fi
fi
grep -q '^fleet ' "$trusted" 2>/dev/null || die "$trusted: has no line of a fleet's key"

# ---- here or there ----

quote() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

there() { # there DEST SCRIPT: run it as root on that host ("" = this one); standard input goes along
    if [ -z "$1" ]; then
        sh -c "$2"
    else
        # shellcheck disable=SC2086 # SSH may have words
        ${SSH:-ssh} -o BatchMode=yes -o ConnectTimeout=10 "$1" "${sudo:+sudo -n }sh -c $(quote "$2")"
    fi
}
host() { # on the host that is enrolled
    if [ -n "$root" ]; then there '' "$1"; else there "$dest" "$1"; fi
}

put() { # put MODE FILE: standard input becomes FILE in $etc, owned by $owner; says "changed" or "same"
    host "set -eu; umask 077; f=$(quote "$root$etc/$2"); cat >\"\$f.new\"; chmod $1 \"\$f.new\"
        id=\$(awk -F: -v u=$(quote "$owner") '\$1 == u { print \$3 \":\" \$4 }' $(quote "$root/etc/passwd"))
        chown \"\$id\" \"\$f.new\"
        if cmp -s \"\$f.new\" \"\$f\"; then rm \"\$f.new\"; echo same; else mv \"\$f.new\" \"\$f\"; echo changed; fi"
}

host true </dev/null || die "$dest cannot be reached: try ${SSH:-ssh} $dest"
why=$(host "grep -q $(quote "^$owner:") $(quote "$root/etc/passwd") || { echo 'there is no user $owner'; exit 0; }
    [ -x $(quote "$root/usr/bin/goprobe") ] || command -v goprobe >/dev/null || { echo 'goprobe is not installed'; exit 0; }
    mkdir -p $(quote "$root$etc") && [ -w $(quote "$root$etc") ] || echo 'cannot write $etc (--sudo?)'" </dev/null) ||
    die "$name: looking around failed"
[ -z "$why" ] || die "$name: $why (is the package fleetprobe-agent there?)"

# ---- key and certificate ----

keep_pub() { # what revokes the key; an older one of that name stays as NAME.pub.~1~
    pub=$(dirname "$by")/$name.pub
    [ "$pub" != "${by%.key}.pub" ] || pub=$(dirname "$by")/$name.agent.pub
    if install --backup=numbered -m 0644 "$tmp/agent.pub" "$pub" 2>/dev/null; then
        say "$pub revokes the key when the host is lost: keep it"
    else
        say "cannot write $pub; for gpkey revoke, when the host is lost, keep this line in a file: $(cat "$tmp/agent.pub")"
    fi
}

month=$((30 * 86400)) changed=
host "cat $(quote "$root$etc/agent.crt") 2>/dev/null || :" </dev/null >"$tmp/agent.crt"
have_key=$(host "[ ! -f $(quote "$root$etc/agent.key") ] || echo yes" </dev/null)
if [ -n "$have_key" ] && [ -s "$tmp/agent.crt" ]; then
    of=$(gpkey show "$tmp/agent.crt" | sed -n 's/^  name  *//p')
    [ "$of" = "$name" ] || die "$name: this host has the certificate of $of; remove $etc/agent.key and agent.crt to replace it"
    until=$(date -u -d "$(gpkey show "$tmp/agent.crt" | sed -n 's/^  valid until *//p')" +%s)
    if [ $((until - $(date +%s))) -lt $month ] && [ "$((days * 86400))" -gt $month ]; then
        gpkey -q renew "$tmp/agent.crt" --by "$by" --days "$days" || die "$name: the certificate cannot be renewed"
        put 0644 agent.crt <"$tmp/agent.crt" >/dev/null
        changed=1
        say "certificate renewed"
    fi
elif [ -n "$have_key" ]; then
    die "$name: this host has a key without a certificate; remove $etc/agent.key to replace it"
else
    rm -f "$tmp/agent.crt"
    gpkey -q issue agent "$name" --by "$by" --days "$days" -o "$tmp/agent.key" || die "$name: no certificate"
    put 0644 agent.crt <"$tmp/agent.crt" >/dev/null
    put 0600 agent.key <"$tmp/agent.key" >/dev/null
    rm -f "$tmp/agent.key"
    keep_pub
    changed=1
    say "key and certificate are new"
fi
gpkey -q verify "$tmp/agent.crt" --trust "$trusted" || die "$name: its certificate is not good (output above)"

# ---- configuration ----

[ "$(put 0644 trusted_keys <"$trusted")" = same ] || changed=1
host "cat $(quote "$root$etc/goprobe.yaml") 2>/dev/null || :" </dev/null >"$tmp/goprobe.yaml"
if ! grep -q '^api:' "$tmp/goprobe.yaml"; then
    grep -q '^db:' "$tmp/goprobe.yaml" || printf 'db:\n  path: /var/lib/fleetprobe/db\n' >>"$tmp/goprobe.yaml"
    grep -Eq '^(interfaces|autodetection):' "$tmp/goprobe.yaml" ||
        printf 'autodetection:\n  enabled: true\n  exclude: [lo]\n' >>"$tmp/goprobe.yaml"
    printf 'api: # by enrol.sh\n' >>"$tmp/goprobe.yaml"
    if [ "$addr" = dial-in ]; then
        [ -n "$server" ] || die "--server: a host that dials in must know where"
        printf "  dial_out: ['tcp://%s']\n" "$server" >>"$tmp/goprobe.yaml"
    else
        printf "  addr: ['tcp://0.0.0.0:%s']\n" "${addr##*:}" >>"$tmp/goprobe.yaml"
    fi
    printf '  key_file: %s/agent.key\n  trusted_keys: %s/trusted_keys\n' "$etc" "$etc" >>"$tmp/goprobe.yaml"
    put 0644 goprobe.yaml <"$tmp/goprobe.yaml" >/dev/null
    changed=1
    say "goprobe.yaml has the query service now"
else
    grep -q "key_file: *['\"]\{0,1\}$etc/agent.key" "$tmp/goprobe.yaml" ||
        die "$name: $etc/goprobe.yaml has an api section that does not use $etc/agent.key; correct it by hand"
    # What --addr needs is put into a file that is as shipped there; a table of one's own may have its reasons, such as
    # ports that are forwarded, and is only spoken of.
    sed -n '/^api:/,/^[a-z]/p' "$tmp/goprobe.yaml" | grep -v '^ *#\|metrics_addr:' >"$tmp/api"
    port=${addr##*:} edit=
    if [ "$addr" = dial-in ] && ! grep -q 'dial_out:' "$tmp/api"; then
        [ -n "$server" ] || die "--server: a host that dials in must know where"
        did="dial_out: ['tcp://$server']"
        grep -q '^api: *$' "$tmp/api" || die "$name: put this into the api section of $etc/goprobe.yaml: $did"
        edit="s|^api:.*|&\\n$(sed -n '2s/[^ ].*//p' "$tmp/api")$did # by enrol.sh|"
    elif [ "$addr" = dial-in ]; then
        grep -q "//${server}['\"]" "$tmp/api" || [ -z "$server" ] || say "goprobe.yaml dials out to others than $server, which stays"
    elif ! grep -q ":${port}['\"]" "$tmp/api"; then
        did="api.addr at port $port"
        edit="s|^\(  addr: \['tcp://0.0.0.0:\)8145', 'ipc:|\1$port', 'ipc:|"
        grep -q "^  addr: \['tcp://0.0.0.0:8145', 'ipc:" "$tmp/api" || edit=
        [ -n "$edit" ] || say "goprobe.yaml does not listen at port $port: right if that is forwarded, else correct api.addr"
    fi
    if [ -n "$edit" ]; then
        sed "$edit" "$tmp/goprobe.yaml" | put 0644 goprobe.yaml >/dev/null
        changed=1
        say "goprobe.yaml has $did now"
    fi
fi
[ -n "$root" ] || host "goprobe --check-config -c $(quote "$etc/goprobe.yaml")" </dev/null >"$tmp/out" 2>&1 ||
    die "$name: $(tail -n 1 "$tmp/out")"
[ -n "$changed" ] || say "key, certificate and configuration are as they should be"

# ---- start ----

if [ -n "$no_start" ]; then
    say "not started"
else
    if [ -n "$start" ]; then
        bring_up=$start
    elif [ -n "$changed" ]; then
        bring_up='systemctl enable goprobe && systemctl restart goprobe'
    else
        bring_up='systemctl enable goprobe && { systemctl is-active goprobe || systemctl start goprobe; }'
    fi
    host "$bring_up" </dev/null >"$tmp/out" 2>&1 || die "$name: does not start: $(tail -n 3 "$tmp/out")"
fi

# ---- the aggregator ----

seen() { # the aggregator is connected to it
    goquery hosts "$name" --query.server.addr "$server" ${user_key:+--identity.key "$user_key"} -e json >"$tmp/out" 2>&1 &&
        grep -q '"connected"' "$tmp/out"
}

if [ "$endpoints" != none ] && [ -n "$server" ]; then
    entry="$name: { addr: '$addr'${groups:+, groups: [$groups]} }"
    line="^['\"]?$(printf %s "$name" | sed 's/\./\\./g')['\"]?:"
    # A table without hosts is written {}.
    did=$(there "$hub" "set -eu; f=$(quote "$endpoints"); [ -w \"\$f\" ] || { echo missing; exit 0; }
        ! grep -Fqx $(quote "$entry") \"\$f\" || { echo same; exit 0; }
        ! grep -Eq $(quote "$line") \"\$f\" || { echo other; exit 0; }
        cp -p \"\$f\" \"\$f.new\"; sed '/^{} *\$/d' \"\$f\" >\"\$f.new\"; echo $(quote "$entry") >>\"\$f.new\"
        mv \"\$f.new\" \"\$f\"; echo added" </dev/null) || die "$endpoints: cannot be changed${hub:+ on $hub}"
    case $did in
    added) say "entered in $endpoints" ;;
    other) say "the aggregator's table has another entry for it, which stays" ;;
    missing) die "$endpoints: is not there or cannot be written${hub:+ on $hub} (--hub, --endpoints)" ;;
    esac
    if [ "$did" = added ] || ! seen; then
        there "$hub" "$reload" </dev/null >"$tmp/out" 2>&1 ||
            die "the aggregator did not read its table again ($reload): $(tail -n 1 "$tmp/out")"
    fi
fi

[ -z "$no_start" ] || exit 0
end=$(($(date +%s) + wait_s))
until seen; do
    if [ "$(date +%s)" -ge "$end" ]; then
        cat "$tmp/out" >&2
        die "$name: the aggregator at $server does not see it after $wait_s s (above); see the log of goprobe there"
    fi
    sleep 0.5
done
say "the aggregator sees it"
