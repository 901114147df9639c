#!/usr/bin/env bash
# Measures how long a log line takes from Terraform's write to everybody who watches the run in a browser. Arguments are those of
# bench-live: --watchers 1,50,200, --lines N.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require \
    "c_compiler:gcc libc6-dev:builds the bundled SQLite" \
    "git:git:makes the repository of the module" \
    "${sandbox[@]}"
exec cargo run --release --quiet "${locked[@]}" --package rad-benches --bin bench-live -- "$@"
