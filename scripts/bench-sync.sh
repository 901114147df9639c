#!/usr/bin/env bash
# Measures syncs of a large repository over a server on this machine that behaves as GitHub's API. Arguments are those of
# bench-sync: DIRECTORY, --number N, --rounds N; without any 500 copies of the sample modules.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
bench sync "$@"
