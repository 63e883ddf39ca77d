#!/bin/sh
# setup.sh [build|test|package|browser|deploy|nightly]... - install the Debian packages that building (or testing) needs.
# browser (headless Chromium, 290 MB) is for the test that looks at report pages; without it that
# test is skipped. deploy (promtool, docker-compose) is for more checks of what deploy/ ships, nightly
# (also lintian, debootstrap, buildah) for tests/nightly.sh.
# Asks apt only for what is missing; runs it as root or through sudo, else prints the exact line.
set -eu

build="cmake ninja-build gcc libc6-dev pkg-config protobuf-compiler protobuf-c-compiler
libprotobuf-c-dev libnng-dev libsodium-dev libgcrypt20-dev libpcap-dev libzstd-dev liblz4-dev libxxhash-dev
libyaml-dev libjansson-dev libpcre2-dev libc-ares-dev libmicrohttpd-dev libmnl-dev libcap-ng-dev
libseccomp-dev zlib1g-dev scdoc"
tests="libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 cppcheck python3 python3-nacl python3-yaml
git iproute2 iputils-ping curl libcurl4-openssl-dev less tcpdump zstd procps jq shellcheck mandoc zsh fish gcovr adduser"
packages="dpkg-dev file"

[ $# -gt 0 ] || set -- build
want=
for set_name in "$@"; do
    case $set_name in
    build) want="$want $build" ;;
    test) want="$want $build $packages $tests" ;;
    package) want="$want $build $packages" ;;
    nightly) want="$want lintian debootstrap prometheus docker-compose buildah" ;;
    browser) want="$want chromium-headless-shell fonts-dejavu-core" ;;
    deploy) want="$want prometheus docker-compose" ;;
    *)
        echo "setup.sh: unknown set '$set_name' (expected: build, test, package, browser, deploy or nightly)" >&2
        exit 2
        ;;
    esac
done

missing=
for p in $want; do
    s=$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null) || s=
    [ "$s" = "install ok installed" ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

# shellcheck disable=SC2086 # a word list on purpose
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "setup.sh: packages are missing and neither root nor passwordless sudo is available. Run:" >&2
    echo "    apt-get update && apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup.sh: apt-get failed (output above)" >&2
    exit 1
fi
