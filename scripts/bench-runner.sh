#!/usr/bin/env bash
# Measures a deployment through the runner beside the bare engine. Arguments are those of bench-runner: --rounds N,
# --resources N, --engine PATH.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require "c_compiler:gcc libc6-dev:builds the bundled SQLite" "${sandbox[@]}"
exec cargo run --release --quiet "${locked[@]}" --package rad-benches --bin bench-runner -- "$@"
