#!/usr/bin/env bash
# Fuzzes everything that reads what strangers write, each target for some seconds: fuzz.sh [SECONDS] [TARGET …]. It begins with
# the saved seeds; what it finds interesting goes to the build directory, what breaks a target to rad-github/fuzz/artifacts.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
have cargo-fuzz || die "cargo-fuzz is missing: cargo install cargo-fuzz --locked"
cargo +nightly --version >/dev/null 2>&1 || die "a nightly compiler is missing: rustup toolchain install nightly"
seconds=${1:-60}
(($#)) && shift
fuzz=rad-github/fuzz
if (($# == 0)); then
    mapfile -t targets < <(cargo fuzz list --fuzz-dir "$fuzz")
    set -- "${targets[@]}"
fi
corpus="${CARGO_TARGET_DIR:-target}/fuzz-corpus"
for target; do
    say "$target, $seconds s"
    mkdir -p "$corpus/$target"
    cargo +nightly fuzz run --fuzz-dir "$fuzz" "$target" "$corpus/$target" "$fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
done
