#!/usr/bin/env bash
# Everything about the code that can be judged without running it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
        die "cargo $component is missing: rustup component add rustfmt clippy"
done
require "c_compiler:gcc libc6-dev:builds the bundled SQLite"

# The heavy ones are judged by `make test-all`.
features=(--features "$(light_features)")

say "Format"
cargo fmt --all --check

say "Dependency rules"
scripts/dependency-rules.sh

say "Lints"
cargo clippy "${locked[@]}" --workspace --all-targets "${features[@]}" -- -D warnings

say "Documentation"
RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc "${locked[@]}" --workspace "${features[@]}" --no-deps

if cargo deny --version >/dev/null 2>&1; then
    say "Licences and sources of dependencies"
    cargo deny --all-features check bans licenses sources
else
    say "Licences and sources of dependencies: SKIPPED, cargo-deny is not installed"
fi

if have shellcheck; then
    say "Shell scripts"
    shellcheck scripts/*.sh .ci/run
else
    say "Shell scripts: SKIPPED, shellcheck is not installed"
fi
