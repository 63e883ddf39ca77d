#!/bin/sh
# style_check.sh SOURCE_DIR - C files are formatted by clang-format 14, shell scripts pass shellcheck.
set -eu
cd "$1"
bad=0
list=$(mktemp)
trap 'rm -f "$list"' EXIT
if ! git ls-files -z '*.c' '*.h' >"$list" 2>/dev/null; then # not a checkout (a release archive)
    find godb proto agent aggregator cli tests \( -name '*.c' -o -name '*.h' \) -print0 >"$list"
fi
xargs -0 clang-format-14 --dry-run -Werror <"$list" 2>&1 | grep 'error:' && bad=1
find . -path './build*' -prune -o -name '*.sh' -print0 >"$list"
xargs -0 shellcheck -x <"$list" || bad=1
exit $bad
