#!/bin/bash
# record.sh [OUTDIR] - record edge, office and dmz.pcap.gz: real programs in network namespaces.
#
#   office 10.20.0.10 ---- (lan0) edge (wan0) ---- inet 198.51.100.53, .80
#   2001:db8:20::10             (dmz0)             2001:db8:99::53, ::80
#                                  |
#                       dmz 10.30.0.80, 2001:db8:30::80
#
# Sensors: office on its own eth0, dmz on its own eth0, edge on its upstream wan0. The traffic runs
# over a five-minute boundary, so that every capture gives two blocks; hence up to 6 minutes. Needs
# root, iproute2, tcpdump, curl, dig, ping, openssh (client and server), openssl, python3.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${1:-$here}" && pwd)
[ "$(id -u)" = 0 ] || { echo "record.sh: needs root for network namespaces" >&2; exit 1; }
for tool in ip tcpdump curl dig ping ssh sshd ssh-keygen openssl python3 gzip; do
    command -v $tool >/dev/null || { echo "record.sh: $tool is missing" >&2; exit 1; }
done

id=fp$$
tmp=$(mktemp -d)
pids=()
cleanup() {
    for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for ns in office edge dmz inet; do ip netns del "$id-$ns" 2>/dev/null || true; done
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

in_ns() { local ns=$1; shift; ip netns exec "$id-$ns" "$@"; }
bg() { # bg NS COMMAND...: in the background; killed at the end
    local ns=$1; shift
    ip netns exec "$id-$ns" "$@" >/dev/null 2>&1 &
    pids+=($!)
}
wire() { # wire NS-A IF-A V4-A V6-A NS-B IF-B V4-B V6-B
    ip link add "$2" netns "$id-$1" type veth peer name "$6" netns "$id-$5"
    local ns dev v4 v6
    for side in "$1 $2 $3 $4" "$5 $6 $7 $8"; do
        read -r ns dev v4 v6 <<<"$side"
        ip -n "$id-$ns" addr add "$v4" dev "$dev"
        ip -n "$id-$ns" addr add "$v6" dev "$dev" nodad
        ip -n "$id-$ns" link set "$dev" up
        # one frame on the wire = one packet: no offloads
        if command -v ethtool >/dev/null; then
            in_ns "$ns" ethtool -K "$dev" tso off gso off gro off >/dev/null 2>&1 || true
        fi
    done
}

for ns in office edge dmz inet; do
    ip netns add "$id-$ns"
    ip -n "$id-$ns" link set lo up
done
wire office eth0 10.20.0.10/24 2001:db8:20::10/64 edge lan0 10.20.0.1/24 2001:db8:20::1/64
wire dmz eth0 10.30.0.80/24 2001:db8:30::80/64 edge dmz0 10.30.0.1/24 2001:db8:30::1/64
wire inet eth0 198.51.100.53/24 2001:db8:99::53/64 edge wan0 198.51.100.1/24 2001:db8:99::1/64
ip -n "$id-inet" addr add 198.51.100.80/24 dev eth0
ip -n "$id-inet" addr add 2001:db8:99::80/64 dev eth0 nodad
in_ns edge sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for ns in office:10.20.0.1:2001:db8:20::1 dmz:10.30.0.1:2001:db8:30::1 \
    inet:198.51.100.1:2001:db8:99::1; do
    IFS=: read -r name v4 v6 <<<"$ns"
    ip -n "$id-$name" route add default via "$v4"
    ip -n "$id-$name" -6 route add default via "$v6"
done

# ---- servers ----
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=www.example -days 2 -keyout "$tmp/k" \
    -out "$tmp/c" 2>/dev/null
cat "$tmp/k" "$tmp/c" >"$tmp/cert.pem"
traffic=$here/traffic.py
for a in 198.51.100.53 2001:db8:99::53; do bg inet python3 "$traffic" dns $a; done
for a in 198.51.100.80 2001:db8:99::80; do
    bg inet python3 "$traffic" web $a 443 "$tmp/cert.pem"
    bg inet python3 "$traffic" echo $a 123
done
for a in 10.30.0.80 2001:db8:30::80; do
    bg dmz python3 "$traffic" web $a 80
    bg dmz python3 "$traffic" web $a 8443 "$tmp/cert.pem"
done
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$tmp/host"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/user"
cp "$tmp/user.pub" "$tmp/authorized"
chmod 711 "$tmp"
bg dmz "$(command -v sshd)" -D -f /dev/null -h "$tmp/host" -p 22 -o "AuthorizedKeysFile=$tmp/authorized" \
    -o StrictModes=no -o PermitRootLogin=yes -o UsePAM=no -o PidFile=none

# ---- wait for the moment, then record ----
now=$(date +%s)
wait_s=$((300 - now % 300 - 20))
[ $wait_s -ge 3 ] || wait_s=$((wait_s + 300))
echo "record.sh: traffic starts in $wait_s s"
sleep "$wait_s"
dumps=()
for sensor in office:eth0 dmz:eth0 edge:wan0; do
    ns=${sensor%:*}
    ip netns exec "$id-$ns" tcpdump -i "${sensor#*:}" -s 160 -B 4096 -U -w "$tmp/$ns.pcap" \
        2>"$tmp/$ns.log" &
    dumps+=($!)
    pids+=($!)
done
for _ in $(seq 50); do
    [ "$(cat "$tmp"/{office,dmz,edge}.log | grep -c listening)" = 3 ] && break
    sleep 0.1
done

# ---- traffic: each round under 10 s; it runs for 40 s ----
web_client() { # web_client NS URL...
    local ns=$1 url; shift
    for url in "$@"; do
        in_ns "$ns" curl -sk --max-time 5 -o /dev/null "$url" || true
    done
}
round() { # round NUMBER
    local a n
    for a in 198.51.100.53 2001:db8:99::53; do
        for n in www mail ntp "host$1"; do
            in_ns office dig +tries=1 +time=2 "@$a" "$n.example" A >/dev/null || true
            in_ns office dig +tries=1 +time=2 "@$a" "$n.example" AAAA >/dev/null || true
        done
        in_ns dmz dig +tcp +tries=1 +time=2 "@$a" www.example A >/dev/null || true
    done
    web_client office "http://10.30.0.80/$((1000 * $1))" http://10.30.0.80/2000
    web_client office "http://[2001:db8:30::80]/$((700 * $1))"
    web_client office https://198.51.100.80/5000
    web_client office "https://[2001:db8:99::80]/12000"
    web_client inet "https://10.30.0.80:8443/800"
    web_client inet "http://[2001:db8:30::80]/4000"
    in_ns office ping -q -c 3 -i 0.2 10.30.0.80 >/dev/null || true
    in_ns office ping -q -c 3 -i 0.2 2001:db8:99::80 >/dev/null || true
    in_ns inet ping -q -c 2 -i 0.2 2001:db8:30::80 >/dev/null || true
    in_ns office ping -q -c 1 -W 1 -t 1 198.51.100.80 >/dev/null || true # time exceeded
    in_ns office ping -q -c 1 -W 1 -t 1 2001:db8:99::80 >/dev/null || true
    in_ns office ping -q -c 1 -s 3000 198.51.100.80 >/dev/null || true # fragments
    in_ns office ping -q -c 1 -s 3000 2001:db8:30::80 >/dev/null || true
    in_ns office python3 "$traffic" bind-send 10.20.0.10 123 198.51.100.80 123 1
    in_ns office python3 "$traffic" mcast 10.20.0.10 239.255.255.250 1900 1
    in_ns dmz python3 "$traffic" mcast 10.30.0.80 224.0.0.251 5353 1
}
end=$((SECONDS + 42))
bg office python3 "$traffic" stream 10.20.0.10 198.51.100.80 5004 400 100 172
bg office python3 "$traffic" stream 2001:db8:20::10 2001:db8:99::80 5004 200 200 172
bg dmz python3 "$traffic" stream 10.30.0.80 198.51.100.80 514 60 600 220
# shellcheck disable=SC2016 # expands on the other side
in_ns office ssh -q -i "$tmp/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    root@10.30.0.80 'for i in $(seq 38); do date; sleep 1; done' >"$tmp/ssh.log" 2>&1 &
pids+=($!)
in_ns inet python3 "$traffic" scan 10.30.0.80 20 40
in_ns inet python3 "$traffic" scan 2001:db8:30::80 20 30
n=0
while [ $SECONDS -lt $end ]; do
    n=$((n + 1))
    round $n
    sleep 0.5
done
sleep 1
for p in "${dumps[@]}"; do kill -INT "$p"; done
for p in "${dumps[@]}"; do wait "$p" || true; done
for ns in office dmz edge; do
    gzip -9n <"$tmp/$ns.pcap" >"$out/$ns.pcap.gz"
    echo "$ns: $(grep 'packets captured' "$tmp/$ns.log"), $(grep 'dropped by kernel' "$tmp/$ns.log")," \
        "$(stat -c %s "$out/$ns.pcap.gz") bytes; $n rounds"
done
echo "ssh lines: $(wc -l <"$tmp/ssh.log")"
