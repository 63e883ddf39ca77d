#!/bin/sh
# make-keys.sh DIR AGGREGATOR AGENT... - keys and certificates of a fleet, one directory for each who holds some.
#
#   DIR/fleet       the key that signs all others: keep it offline
#   DIR/AGGREGATOR  aggregator.key, .crt and trusted_keys; DIR/AGENT the same with agent.key
#   DIR/user        user.key, .crt and trusted_keys of the first user
# What exists stays; run again with more agents to add them. OWNER=UID:GID gives all but the fleet's key to that user.
# DAYS: validity of new certificates (default 365). With ISSUER=1 DIR/AGGREGATOR also gets issuer.key, by which it may
# renew the certificates of agents and aggregators (issuer.key in global-query.yaml).
set -eu
[ $# -ge 3 ] || {
    echo "usage: make-keys.sh DIR AGGREGATOR AGENT..." >&2
    exit 2
}
dir=$1 hub=$2
shift 2
umask 077

issue() { # issue KIND NAME [HOLDER'S DIRECTORY]
    mkdir -p "$dir/${3:-$2}"
    [ -f "$dir/${3:-$2}/$1.crt" ] ||
        gpkey -q issue "$1" "$2" --by "$dir/fleet/fleet.key" --days "${DAYS:-365}" -o "$dir/${3:-$2}/$1.key"
    cp "$dir/fleet/trusted_keys" "$dir/${3:-$2}/trusted_keys"
    hand_over "${3:-$2}"
}
hand_over() { # hand_over DIRECTORY
    [ -z "${OWNER:-}" ] || chown -R "$OWNER" "$dir/$1"
}

mkdir -p "$dir/fleet"
[ -f "$dir/fleet/fleet.key" ] || gpkey -q init "${FLEET:-fleet}" -o "$dir/fleet/fleet.key"
[ -f "$dir/fleet/trusted_keys" ] || gpkey -q trust "$dir/fleet/fleet.pub" --into "$dir/fleet/trusted_keys"
issue aggregator "$hub"
if [ -n "${ISSUER:-}" ] && [ ! -f "$dir/$hub/issuer.crt" ]; then
    days=${DAYS:-365} # what it signs ends before it does
    gpkey -q issue issuer "$hub-renewals" --by "$dir/fleet/fleet.key" --may-sign agent,aggregator \
        --max-days "$days" --days "$((days * 10))" -o "$dir/$hub/issuer.key"
    hand_over "$hub"
fi
for agent in "$@"; do issue agent "$agent"; done
issue user "${FIRST_USER:-user}" user
