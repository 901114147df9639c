#!/usr/bin/env bash
# Measures the revenue engine beside DuckDB and Polars, which it installs into the build directory from PyPI. Options are
# those of bench-revenue: --entries N, --rounds N, --stream.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
have python3 || die "python3 is missing. On Debian: apt-get install python3 python3-venv"
venv="${CARGO_TARGET_DIR:-target}/bench-venv"
if [[ ! -x $venv/bin/python ]]; then
    say "installing DuckDB and Polars into $venv"
    python3 -m venv "$venv"
fi
"$venv/bin/pip" --quiet --disable-pip-version-check install --requirement benches/requirements.txt
exec cargo run --release --quiet "${locked[@]}" --package rad-benches --bin bench-revenue -- --python "$venv/bin/python" "$@"
