#!/bin/sh
# library_test.sh SOURCE BUILD CMAKE - libgodb as another project uses it: installed, found through
# pkg-config and through find_package, the example built both ways and run.
set -eu
source_dir=$1
build=$2
cmake=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "library_test: $*" >&2
    exit 1
}
example=$source_dir/docs/examples/godb
inst=$work/usr

"$cmake" --install "$build" --component dev --prefix "$inst" >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "cmake --install failed"
}
[ -f "$inst/include/fleetprobe/godb/godb.h" ] || fail "no header installed"
pc=$(find "$inst" -name godb.pc)
config=$(find "$inst" -name godbConfig.cmake)
[ -n "$pc$config" ] || fail "no package files installed"
if grep -F -e "$build" -e "$source_dir" -r "$pc" "$(dirname "$config")"; then
    fail "package files name the build tree"
fi

run() { # run PROGRAM: twice, so that the second one meets a database
    rm -rf "$work/flows"
    cat >"$work/want" <<'EOF'
block of 9 rows
10.0.0.9 received 9000 bytes
10.0.0.8 received 8000 bytes
10.0.0.7 received 7000 bytes
EOF
    "$1" "$work/flows" >"$work/got" || fail "$1 failed"
    diff -u "$work/want" "$work/got" || fail "$1 printed something else"
    if "$1" /proc/nowhere 2>"$work/got"; then fail "$1 wrote to /proc"; fi
    grep -q '^top: ' "$work/got" || fail "$1 does not say why it failed"
}

# The headers bear a stricter compiler than ours, and the header alone is enough.
export PKG_CONFIG_PATH="${pc%/*}"
cc=${CC:-cc}
# shellcheck disable=SC2046 # words on purpose
"$cc" -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror "$example/top.c" -o "$work/top-pc" \
    $(pkg-config --cflags --libs godb) || fail "building with pkg-config failed"
run "$work/top-pc"

cp -r "$example" "$work/project"
if ! { "$cmake" -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$inst" &&
    "$cmake" --build "$work/project/build"; } >"$work/log" 2>&1; then
    cat "$work/log"
    fail "building with find_package failed"
fi
run "$work/project/build/top"

# A version that does not fit is refused.
sed -i 's/find_package(godb /find_package(godb 99.0 /' "$work/project/CMakeLists.txt"
if "$cmake" -S "$work/project" -B "$work/other" -DCMAKE_PREFIX_PATH="$inst" >"$work/log" 2>&1; then
    fail "version 99.0 was found"
fi
echo ok
