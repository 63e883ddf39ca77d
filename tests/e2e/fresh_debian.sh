#!/bin/sh
# fresh_debian.sh [SUITE] - packages and quickstart in a Debian made for it by debootstrap (default bookworm).
#
# Packages are built twice, in copies of the last commit at different places, and compared; lintian looks at
# them; packages_test.sh installs, upgrades, removes and purges them; deploy/quickstart.sh builds and runs.
# Needs root, debootstrap, lintian and a Debian mirror (that of this machine's sources.list).
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
suite=${1:-bookworm}
if [ -z "${INSIDE:-}" ]; then
    exec unshare -m env INSIDE=1 sh "$0" "$suite"
fi
mount --make-rprivate /
tmp=$(mktemp -d)
trap 'cd /; umount -R -l "$tmp/root/proc" "$tmp/root/dev" 2>/dev/null || :; rm -rf --one-file-system "$tmp"' EXIT
unset INSIDE
for n in one two/deeper; do
    mkdir -p "$tmp/$n"
    git -C "$top" archive HEAD | tar -x -C "$tmp/$n"
    SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct) sh "$tmp/$n/deploy/packaging/build.sh" "$tmp/$n/debs" >"$tmp/sums.$(basename "$n")"
done
cmp "$tmp/sums.one" "$tmp/sums.deeper"
echo "packages are the same from two places:"
cat "$tmp/sums.one"
# The one tag asks for the number of a request to package it, which packages outside of Debian's archive have not.
lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$tmp"/one/debs/*.deb
mirror=$(sed -n 's/^deb \(\[.*\] \)\?\(http[^ ]*\) .*/\2/p; s/^URIs: *\(http[^ ]*\).*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
debootstrap --variant=minbase "$suite" "$tmp/root" ${mirror:+"$mirror"} >"$tmp/log" 2>&1 || { tail -n 20 "$tmp/log"; exit 1; }
cp -r /etc/apt/apt.conf.d/. "$tmp/root/etc/apt/apt.conf.d/"
[ ! -e /etc/resolv.conf ] || cp /etc/resolv.conf "$tmp/root/etc/resolv.conf"
chroot "$tmp/root" apt-get update -qq
FRESH_ROOT=$tmp/root sh "$top/tests/e2e/packages_test.sh" "$tmp/one" "$tmp/one/build-deb"
mkdir "$tmp/root/src"
git -C "$top" archive HEAD | tar -x -C "$tmp/root/src"
mount --rbind /proc "$tmp/root/proc"
mount --rbind /dev "$tmp/root/dev"
chroot "$tmp/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh /src/deploy/quickstart.sh
echo "fresh_debian.sh: fine"
