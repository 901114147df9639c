#!/usr/bin/env bash
# Measures the ledgers beside pgbench and a bare loop of SQLite, on a throw-away PostgreSQL. Options are those of
# bench-ledger: --seconds N, --rounds N, --entries N, --few N, --only PART,PART.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require \
    "c_compiler:gcc libc6-dev:builds the bundled SQLite" \
    "postgres:postgresql:the server, and pgbench"
# The program is built before the server starts; so it has the machine for itself.
cargo build --release --quiet "${locked[@]}" --package rad-benches --bin bench-ledger
# What a server with 4 GB of memory is given.
export RAD_POSTGRES_SETTINGS="${RAD_POSTGRES_SETTINGS--c shared_buffers=1GB -c max_wal_size=4GB}"
scripts/with-postgres.sh cargo run --release --quiet "${locked[@]}" --package rad-benches --bin bench-ledger -- \
    --dir "${CARGO_TARGET_DIR:-target}" "$@"
