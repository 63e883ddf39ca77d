#!/bin/sh
# packages_test.sh SOURCE BUILD - packages are reproducible, hold what they should, and come and go cleanly.
#
# dpkg runs for real, with the maintainer scripts, in a mount namespace whose root is a copy on write of
# this machine's (or of FRESH_ROOT, a Debian made for it): nothing outside changes. Needs root; else 77.
set -eu
src=$1
build=$2
skip() {
    echo "skipped: $*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "not root"
for t in dpkg-shlibdeps dpkg-deb adduser unshare; do command -v $t >/dev/null || skip "no $t"; done
[ -n "${INSIDE:-}" ] || unshare -m true 2>/dev/null || skip "no mount namespace here (in a chroot?)"
[ -n "${INSIDE:-}" ] || {
    mkdir -p /run
    exec unshare -m env INSIDE=1 sh "$0" "$src" "$build"
}
mount --make-rprivate /
tmp=$(mktemp -d)
trap 'umount -l "$tmp" 2>/dev/null; rmdir "$tmp"' EXIT
mount -t tmpfs tmpfs "$tmp"
fail() {
    echo "packages_test.sh: $*" >&2
    exit 1
}

# ---- the same bytes, twice ----
SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH
for n in 1 2; do
    (cd "$build" && cpack -B "$tmp/deb$n") >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "cpack"; }
    rm -rf "$tmp/deb$n/_CPack_Packages"
    [ $n = 2 ] || sleep 1.1 # another second on the clock
done
for f in "$tmp"/deb1/*.deb; do
    cmp "$f" "$tmp/deb2/$(basename "$f")" || fail "not reproducible: $f"
done
[ "$(find "$tmp/deb1" -name '*.deb' | wc -l)" = 4 ] || fail "four packages expected: $(ls "$tmp/deb1")"

# ---- what is inside ----
has() { # has PACKAGE PATH...
    list=$(dpkg-deb -c "$tmp"/deb1/"$1"_*.deb)
    p=$1
    shift
    for f in "$@"; do
        echo "$list" | grep -q " \./$f\( -> .*\)\?\$" || fail "$p lacks $f: $list"
    done
    if echo "$list" | grep -v ' root/root '; then fail "$p: not owned by root"; fi
}
has fleetprobe-agent usr/bin/goprobe lib/systemd/system/goprobe.service etc/fleetprobe/goprobe.yaml \
    usr/share/man/man8/goprobe.8.gz usr/share/doc/fleetprobe-agent/copyright
has fleetprobe-aggregator usr/bin/global-query lib/systemd/system/global-query.service \
    etc/fleetprobe/global-query.yaml etc/fleetprobe/endpoints.yaml usr/share/man/man8/global-query.8.gz
has fleetprobe-tools usr/bin/goquery usr/bin/goQuery usr/bin/gpdb usr/bin/goconvert usr/bin/gpkey \
    usr/bin/gpctl usr/share/man/man1/gpctl.1.gz usr/share/bash-completion/completions/gpctl \
    usr/bin/goquery_completion usr/share/fleetprobe/enrol.sh usr/share/man/man1/goquery.1.gz \
    usr/share/bash-completion/completions/goquery usr/share/zsh/site-functions/_gpkey \
    usr/share/fish/vendor_completions.d/gpdb.fish usr/share/man/man1/goQuery.1.gz usr/share/man/man1/goconvert.1.gz
has libgodb-dev usr/include/fleetprobe/godb/godb.h usr/share/doc/libgodb-dev/copyright
for f in "$tmp"/deb1/*.deb; do
    dpkg-deb -e "$f" "$tmp/ctl"
    grep -q '^Depends: .*libc6' "$tmp/ctl/control" || fail "$f: no dependency on libc6"
    rm -rf "$tmp/ctl" "$tmp/files"
    dpkg-deb -x "$f" "$tmp/files"
    if grep -rlF "$build/" "$tmp/files"; then fail "$f: holds a path of the build"; fi
    (cd "$tmp/files" && find . ! -perm -444 ! -type l) | grep . && fail "$f: unreadable files"
    rm -rf "$tmp/files"
done

# ---- come and go ----
mkdir "$tmp/up" "$tmp/work" "$tmp/root"
mount -t overlay overlay -o "lowerdir=${FRESH_ROOT:-/},upperdir=$tmp/up,workdir=$tmp/work" "$tmp/root" || {
    echo "no overlay file system here: install is not tried" >&2
    exit 0
}
root=$tmp/root
for d in proc dev sys; do mount --rbind /$d "$root/$d"; done
cp -r "$tmp/deb1" "$root/debs"
# a newer version of the agent, whose configuration differs
dpkg-deb -R "$tmp"/deb1/fleetprobe-agent_*.deb "$tmp/newer"
sed -i 's/^Version: .*/Version: 99.0/' "$tmp/newer/DEBIAN/control"
echo "# newer" >>"$tmp/newer/etc/fleetprobe/goprobe.yaml"
(cd "$tmp/newer" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb -b --root-owner-group "$tmp/newer" "$root/debs/newer.deb" >/dev/null
rm -f "$root/var/lib/man-db/auto-update" # no index of all manual pages after each step
in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
install_debs=dpkg\ -i
[ -z "${FRESH_ROOT:-}" ] || install_debs="apt-get -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends install"

in_root sh -c "$install_debs /debs/fleetprobe-*.deb /debs/libgodb*.deb" >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "install"; }
grep -q 'goprobe.service starts once there is a key' "$tmp/log" || { cat "$tmp/log"; fail "nobody says that a key is needed"; }
in_root dpkg --audit | grep . && fail "half installed"
[ "$(in_root stat -c '%U:%G %a' /var/lib/fleetprobe)" = "fleetprobe:fleetprobe 750" ] || fail "mode of the database directory"
in_root getent passwd fleetprobe | grep -q ':/usr/sbin/nologin$' || fail "the user may log in"
[ -L "$root/etc/systemd/system/multi-user.target.wants/goprobe.service" ] || fail "unit not enabled"
for p in goprobe global-query goquery gpctl gpdb gpkey goconvert; do
    in_root $p --version >/dev/null || fail "$p does not run"
done
in_root gpkey -q new aggregator hub -o /etc/fleetprobe/aggregator.key
in_root gpkey -q new agent host -o /root/host.key
in_root touch /etc/fleetprobe/trusted_keys
in_root goprobe --check-config -c /etc/fleetprobe/goprobe.yaml --api.key_file /root/host.key >/dev/null || fail "goprobe.yaml"
in_root global-query --check-config -c /etc/fleetprobe/global-query.yaml >/dev/null || fail "global-query.yaml"

echo "# mine" >>"$root/etc/fleetprobe/goprobe.yaml"
in_root dpkg --force-confdef --force-confold -i /debs/newer.deb >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "upgrade"; }
grep -q '^# mine' "$root/etc/fleetprobe/goprobe.yaml" || fail "an upgrade lost the administrator's configuration"

echo rows >"$root/var/lib/fleetprobe/db"
echo line >"$root/var/lib/fleetprobe/aggregator.audit"
in_root gpkey -q new agent me -o /etc/fleetprobe/agent.key
touch "$root/var/lib/fleetprobe/agent.crt" "$root/var/lib/fleetprobe/aggregator.crt" # renewed ones
in_root dpkg -r fleetprobe-agent fleetprobe-aggregator >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "remove"; }
if [ -e "$root/usr/bin/goprobe" ] || [ -e "$root/usr/bin/global-query" ]; then fail "remove left the program"; fi
if ! [ -e "$root/var/lib/fleetprobe/db" ] || ! [ -e "$root/etc/fleetprobe/agent.key" ] ||
    ! grep -q '^# mine' "$root/etc/fleetprobe/goprobe.yaml"; then
    fail "remove took data, key or configuration"
fi
in_root dpkg -P fleetprobe-agent >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "purge"; }
[ ! -e "$root/var/lib/fleetprobe/db" ] || fail "purge left the database"
[ ! -e "$root/var/lib/fleetprobe/agent.crt" ] || fail "purge left the renewed certificate"
for f in etc/fleetprobe/aggregator.key etc/fleetprobe/global-query.yaml var/lib/fleetprobe/aggregator.audit \
    var/lib/fleetprobe/aggregator.crt; do
    [ -e "$root/$f" ] || fail "purge of the agent took $f of the aggregator, which was removed, not purged"
done
in_root getent passwd fleetprobe >/dev/null || fail "purge took the user, whose number another one could get"
[ -e "$root/etc/fleetprobe/trusted_keys" ] || fail "purge took what the aggregator reads"
in_root dpkg -P fleetprobe-aggregator fleetprobe-tools libgodb-dev >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "purge"; }
[ ! -e "$root/etc/fleetprobe" ] || fail "purge left $(ls "$root/etc/fleetprobe")"
[ ! -e "$root/var/lib/fleetprobe" ] || fail "purge left $(ls "$root/var/lib/fleetprobe")"
find "$root/etc/systemd" "$root/lib/systemd/system" "$root/var/lib/systemd" \( -name '*goprobe*' -o -name '*global-query*' \) 2>/dev/null |
    grep . && fail "purge left units"
# Overlay: what was made is in "up", what was there and is gone is a character device.
find "$tmp/up" ! -type d ! -type c ! -path "$tmp/up/debs/*" -printf '%P\n' |
    grep -E '(fleetprobe|goprobe|global-query|go[qQ]uery|go[cC]onvert|gpctl|gpdb|gpkey|godb)' && fail "purge left files"
echo "packages: reproducible, installed, upgraded, removed, purged"
