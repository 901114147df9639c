#!/usr/bin/env bash
# soak.sh [KILLS [RUNS]]
#
# The load and kill tests of rad-billing, large: 64 tasks in each of 4 processes (2 on SQLite), and KILLS processes and servers
# killed while others post (210). Prints what was posted, and what became of what was under way. RAD_TEST_SEED repeats a run.
# Then RUNS deployments (200) on two servers and three workers over one PostgreSQL, workers killed and stopped meanwhile.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require \
    "c_compiler:gcc libc6-dev:builds the bundled SQLite" \
    "postgres:postgresql:the servers that are killed" \
    "${sandbox[@]}"
find_terraform
kills=${1:-210} runs=${2:-200}
[[ $kills$runs =~ ^[0-9]+$ ]] || die "usage: soak.sh [KILLS [RUNS]], not $kills $runs"
# Three tests kill: processes on SQLite, processes on PostgreSQL, and its server.
export RAD_SOAK_KILLS=$(((kills + 2) / 3))
tests=(cargo test "${locked[@]}" --quiet --package rad-billing --all-features --test it)
fleet=(cargo test "${locked[@]}" --quiet --package portal --test it)
"${tests[@]}" --no-run
"${fleet[@]}" --no-run
started=$SECONDS
scripts/with-postgres.sh "${tests[@]}" -- load:: --nocapture --test-threads=1
RAD_SOAK_RUNS=$runs scripts/with-postgres.sh "${fleet[@]}" -- fleet::every_run_ends_once --nocapture
say "Soaked for $((SECONDS - started)) s with $((RAD_SOAK_KILLS * 3)) kills"
