#!/bin/sh
# make-secrets.sh DIR NODE... - keys for the agents of these nodes and the aggregator, as two Secrets on standard output.
#
#   sh make-secrets.sh keys $(kubectl get nodes -o name | cut -d/ -f2) | kubectl apply --server-side -f -
#
# DIR keeps the keys (make-keys.sh; DIR/fleet is what signs all others: keep it offline). Run it again with the nodes that
# were added, then restart the DaemonSet: the Secret has every node of DIR, so delete the directories of those that are
# gone. --server-side: otherwise kubectl copies all keys into an annotation, which has room for 390 nodes. NAMESPACE: of
# the Secrets (default fleetprobe). ISSUER=1: with a key by which the aggregator renews certificates (aggregator.issuer
# in values.yaml).
set -eu
[ $# -ge 2 ] || {
    echo "usage: make-secrets.sh DIR NODE..." >&2
    exit 2
}
dir=$1
shift
sh "$(dirname "$0")/../docker/make-keys.sh" "$dir" aggregator "$@" >&2

secret() { # secret NAME: its head; entries follow
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ntype: Opaque\ndata:\n' "$1" \
        "${NAMESPACE:-fleetprobe}"
}
entry() { # entry NAME FILE
    printf '  %s: %s\n' "$1" "$(base64 -w 0 "$2")"
}

secret fleetprobe-agents
for key in "$dir"/*/agent.key; do
    node=$(basename "$(dirname "$key")")
    entry "$node.key" "$key"
    entry "$node.crt" "$dir/$node/agent.crt"
done
echo ---
secret fleetprobe-aggregator
entry aggregator.key "$dir/aggregator/aggregator.key"
entry aggregator.crt "$dir/aggregator/aggregator.crt"
if [ -n "${ISSUER:-}" ]; then
    entry issuer.key "$dir/aggregator/issuer.key"
    entry issuer.crt "$dir/aggregator/issuer.crt"
fi
