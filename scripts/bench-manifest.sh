#!/usr/bin/env bash
# Measures reading manifests beside a bare HCL parse and python-hcl2, which it installs into the build directory from PyPI, and
# compares what they read. Arguments are those of bench-manifest: PATH[//SUB_DIR] …, --rounds N; without any the sample modules.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
have python3 || die "python3 is missing. On Debian: apt-get install python3 python3-venv"
venv="${CARGO_TARGET_DIR:-target}/bench-manifest-venv"
if [[ ! -x $venv/bin/python ]]; then
    say "installing python-hcl2 into $venv"
    python3 -m venv "$venv"
fi
"$venv/bin/pip" --quiet --disable-pip-version-check install --requirement benches/requirements-manifest.txt
(($#)) || set -- examples/modules
exec cargo run --release --quiet "${locked[@]}" --package rad-benches --bin bench-manifest -- --python "$venv/bin/python" "$@"
