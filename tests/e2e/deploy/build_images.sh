#!/bin/sh
# build_images.sh MINBASE - build the images by their Dockerfile, with buildah, and start what is in them.
#
# MINBASE: a debootstrap --variant=minbase bookworm, which stands for debian:bookworm-slim; no registry is asked. Needs
# root, buildah and a Debian mirror. Containers are chroots with the image's user, environment and capabilities.
set -eu
base=$1
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
b() { buildah --root "$tmp/store" --runroot "$tmp/run" --storage-driver vfs "$@"; }
run() { # run IMAGE ARGUMENT-OF-BUILDAH-RUN...
    image=fleetprobe-$1-working-container
    shift
    b run --isolation chroot "$@" "$image" sh -euc "$script"
}
fail() {
    echo "build_images.sh: $*" >&2
    exit 1
}

c=$(b from scratch)
tar -C "$base" -cf "$tmp/base.tar" .
b add "$c" "$tmp/base.tar" / >/dev/null
rm "$tmp/base.tar"
b commit -q --rm "$c" docker.io/library/debian:bookworm-slim >/dev/null
mkdir "$tmp/src"
git -C "$top" archive HEAD | tar -x -C "$tmp/src"
docker=$tmp/src/deploy/docker
for t in tools agent aggregator; do
    b bud --isolation chroot --format docker --pull-never --layers -f "$docker/Dockerfile" --target $t -t fleetprobe-$t \
        "$tmp/src" >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log"; fail "$t was not built"; }
    b from --pull-never localhost/fleetprobe-$t >/dev/null
    b inspect --type image localhost/fleetprobe-$t >"$tmp/$t.json"
done
grep -q '"healthcheck"' "$tmp/agent.json" || fail "the health check of the agent is not in its image"

mkdir "$tmp/keys"
script='make-keys /keys hub office dmz edge'
run tools -v "$tmp/keys:/keys" --user 0:0 --env OWNER=8145:8145 --env ISSUER=1
# shellcheck disable=SC2016 # for the container
script='[ "$(id -u):$(id -g)" = 8145:8145 ]; goprobe --check-config -c /etc/fleetprobe/goprobe.yaml'
run agent --cap-add CAP_NET_RAW -v "$docker/goprobe.yaml:/etc/fleetprobe/goprobe.yaml:ro" -v "$tmp/keys/office:/etc/fleetprobe/keys:ro"
# shellcheck disable=SC2016 # for the container
script='[ "$(id -u):$(id -g)" = 8145:8145 ]
global-query server --config /etc/fleetprobe/global-query.yaml 2>/tmp/log &
n=0
until healthcheck 9146 2>/dev/null; do
    n=$((n + 1))
    if [ $n -gt 100 ]; then cat /tmp/log; exit 1; fi
    sleep 0.1
done
[ -s "$STATE_DIRECTORY/aggregator.audit" ]
kill $!
wait $!'
run aggregator -v "$docker/global-query.yaml:/etc/fleetprobe/global-query.yaml:ro" \
    -v "$docker/endpoints.yaml:/etc/fleetprobe/endpoints.yaml:ro" -v "$tmp/keys/hub:/etc/fleetprobe/keys:ro"
echo "build_images.sh: agent, aggregator and tools were built, and start"
