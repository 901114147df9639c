#!/usr/bin/env bash
# Runs every test of the workspace against a throw-away PostgreSQL, then the doctests. With --all, those of the heavy
# features too, and judges those features as check.sh judges the others.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${1:-} != --all ]] || export RAD_ALL_FEATURES=1
features=(--features "$(light_features)")
[[ -z ${RAD_ALL_FEATURES:-} ]] || features=(--all-features)

main() {
    need_cargo
    require \
        "c_compiler:gcc libc6-dev:builds the bundled SQLite" \
        "git:git:makes the repositories the tests read" \
        "postgres:postgresql:tests of the PostgreSQL backends" \
        "${sandbox[@]}" \
        "chromium:chromium:tests in a browser" \
        "chromedriver:chromium-driver:tests in a browser" \
        "hledger:hledger:reads the journals that revenue-audit writes" \
        "beancount:beancount:reads the journals that revenue-audit writes"
    find_terraform
    require_isolation
    [[ -z ${RAD_ALL_FEATURES:-} ]] || require "curl:curl:the keeper of a run's state on Kubernetes"
    # The programs are built before the server starts, so that it lives only as long as the tests.
    run_tests --no-run
    scripts/with-postgres.sh scripts/test.sh run
    [[ -z ${RAD_ALL_FEATURES:-} ]] || check_heavy
}

check_heavy() {
    say "Lints and documentation with the heavy features"
    cargo clippy "${locked[@]}" -p rad-runner -p portal --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc "${locked[@]}" -p rad-runner -p portal --all-features --no-deps
}

run_tests() {
    local options=("${locked[@]}" --workspace "${features[@]}" "$@")
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run "${options[@]}"
    else
        cargo test "${options[@]}" --no-fail-fast --lib --bins --tests
    fi
}

if [[ ${1:-} == run ]]; then
    run_tests
    cargo test "${locked[@]}" --workspace "${features[@]}" --doc
else
    main
fi
