#!/bin/sh
# build.sh [OUTPUT-DIR] - make the Debian packages (default: build-deb/packages).
#
# The same commit gives the same bytes, wherever and whenever it is built with the same compiler: times
# in the packages are that of the commit, and no path of the build gets into them.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=$top/build-deb
mkdir -p "${1:-$build/packages}"
out=$(CDPATH='' cd -- "${1:-$build/packages}" && pwd)
sh "$top/deploy/setup.sh" package
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/CHANGELOG.md")}
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^project(fleetprobe VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")
commit=${RELEASE_COMMIT:-$(git -C "$top" rev-parse HEAD 2>/dev/null || :)}
umask 022
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
    -DCMAKE_INSTALL_PREFIX=/usr -DRELEASE_VERSION="$version" -DRELEASE_COMMIT="$commit" \
    -DRELEASE_TIME="$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" && cmake --build "$build" && cd "$build" && cpack -B "$out"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "build.sh: building the packages failed (end of its output above)" >&2
    exit 1
fi
rm -rf "$out/_CPack_Packages"
cd "$out" && sha256sum ./*.deb
