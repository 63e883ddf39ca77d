#!/bin/sh
# fresh_debian.sh [PART]... - what the README and the packages promise, in Debian 12 made by debootstrap (minbase):
#
#   packages  built twice, in copies of the last commit at different places: same bytes; lintian; packages_test.sh
#             installs, upgrades, removes and purges them where nothing of the build is installed
#   readme    the README's two commands, in a copy of the last commit: sh deploy/quickstart.sh, sh tests/run.sh
#
# Without arguments both. FRESH_MODE: the argument of tests/run.sh (quick; default full, which takes as long as CI);
# FUZZ_SECONDS as there.
# Needs root, debootstrap, lintian and a Debian mirror (that of this machine's sources). The new Debian has mounts and
# processes of its own: nothing outside changes, and nothing outlives the script.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if [ -z "${INSIDE:-}" ]; then
    exec unshare --mount --pid --fork --kill-child --mount-proc env INSIDE=1 sh "$0" "$@"
fi
unset INSIDE
tmp=$(mktemp -d)
trap 'cd /; rm -rf --one-file-system "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

debian() { # debian DIR: a minimal Debian, with what its installer would have written
    mirror=$(sed -n 's/^deb \(\[.*\] \)\?\(http[^ ]*debian\)\/\? .*/\2/p; s/^URIs: *\(http[^ ]*debian\)\/\?$/\1/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
    debootstrap --variant=minbase bookworm "$1" ${mirror:+"$mirror"} >"$tmp/log" 2>&1 || { tail -n 20 "$tmp/log"; exit 1; }
    cp -r /etc/apt/apt.conf.d/. "$1/etc/apt/apt.conf.d/"
    [ ! -e /etc/resolv.conf ] || cp /etc/resolv.conf "$1/etc/resolv.conf"
    printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$1/etc/hosts"
    chroot "$1" apt-get update -qq
}

# The root is changed, not only looked at from below: in a chroot no namespace can be made, and tests would be skipped.
boot() { # boot DIR COMMAND...: as that machine's root, away from this machine's files
    dir=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child sh -ec '
        cd "$1"
        shift
        mount --bind . .
        cd "$(pwd)"
        mount -t proc proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        mount -t tmpfs tmpfs dev/shm
        mount -t tmpfs tmpfs run
        mkdir -p old
        pivot_root . old
        cd /
        umount -l /old
        rmdir /old
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root FUZZ_SECONDS="${FUZZ_SECONDS:-30}" "$@"' boot "$dir" "$@"
}

packages() {
    for n in one two/deeper; do
        mkdir -p "$tmp/$n"
        git -C "$top" archive HEAD | tar -x -C "$tmp/$n"
        SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct) RELEASE_COMMIT=$(git -C "$top" rev-parse HEAD) sh "$tmp/$n/deploy/packaging/build.sh" "$tmp/$n/debs" >"$tmp/sums.$(basename "$n")"
    done
    cmp "$tmp/sums.one" "$tmp/sums.deeper"
    echo "packages are the same from two places:"
    cat "$tmp/sums.one"
    dpkg-deb -x "$tmp"/one/debs/fleetprobe-tools_*.deb "$tmp/tools"
    "$tmp/tools/usr/bin/goquery" --version
    "$tmp/tools/usr/bin/goquery" --version | grep -q "^goquery - [0-9]" # not "devel"
    # The one tag asks for the number of a request to package it, which packages outside of Debian's archive have not.
    lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$tmp"/one/debs/*.deb
    FRESH_ROOT=$tmp/fresh sh "$top/tests/e2e/packages_test.sh" "$tmp/one" "$tmp/one/build-deb"
}

readme() {
    cp -a "$tmp/fresh" "$tmp/root"
    mkdir "$tmp/root/src"
    git -C "$top" archive HEAD | tar -x -C "$tmp/root/src"
    boot "$tmp/root" sh -c 'cd /src && sh deploy/quickstart.sh'
    boot "$tmp/root" sh -c "cd /src && sh tests/run.sh ${FRESH_MODE:-full}"
}

[ $# -gt 0 ] || set -- packages readme
debian "$tmp/fresh"
for part in "$@"; do
    case $part in
    packages | readme) "$part" ;;
    *)
        echo "usage: fresh_debian.sh [packages | readme]..." >&2
        exit 2
        ;;
    esac
done
echo "fresh_debian.sh: fine"
