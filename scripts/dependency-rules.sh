#!/usr/bin/env bash
# Proves the invariants of ARCHITECTURE.md that are about what is absent:
#   1. rad-core links no SQL, no HTTP, no runtime, and starts no process;
#   2. adapters depend on rad-core and rad-sql, never on each other; rad-sql depends on none of them;
#   3. the revenue engine does no I/O and asks no clock and no dice.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

banned_in_core=(async-std axum gix hyper libsqlite3-sys octocrab reqwest smol sqlx sqlx-core tokio)
adapters=(rad-billing rad-github rad-runner)
failures=0

main() {
    core_links_nothing_heavy
    adapters_stand_alone
    source_has_no rad-core/src "starting processes" \
        'std::process|process::(Command|Stdio|Child|exit|abort)'
    source_has_no rad-core/src/revenue "I/O, async, clocks or randomness" \
        'std::(fs|io|net|env|thread)|async fn|\.await|Utc::now|SystemTime|Instant::now|Uuid::(new_v4|now_v7)|rand::'
    ((failures == 0)) || die "$failures dependency rule(s) broken"
}

core_links_nothing_heavy() {
    local tree name
    tree=$(crates_below rad-core normal,build)
    for name in "${banned_in_core[@]}"; do
        grep -qx "$name" <<<"$tree" || continue
        broken "rad-core depends on $name"
        cargo tree "${locked[@]}" -p rad-core --all-features --target all -e normal,build -i "$name" >&2 || true
    done
}

adapters_stand_alone() {
    local adapter other tree
    for adapter in "${adapters[@]}" rad-sql; do
        tree=$(crates_below "$adapter" normal,build,dev)
        for other in "${adapters[@]}"; do
            [[ $other != "$adapter" ]] || continue
            ! grep -qx "$other" <<<"$tree" || broken "$adapter depends on $other"
        done
    done
}

# The names of all crates a crate depends on, with every feature and on every platform.
crates_below() {
    cargo tree "${locked[@]}" -p "$1" --all-features --target all -e "$2" --prefix none --format '{p}' | awk '{print $1}' | sort -u
}

# source_has_no DIRECTORY WHAT PATTERN: comments may mention it.
source_has_no() {
    local found
    [[ -d $1 ]] || { broken "$1 does not exist: what is to have no $2 must be named here"; return 0; }
    found=$(grep -rnE --include='*.rs' "$3" "$1" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' || true)
    [[ -z $found ]] || broken "$1 must be free of $2:"$'\n'"$found"
}

broken() {
    printf 'broken: %s\n' "$*" >&2
    failures=$((failures + 1))
}

main
