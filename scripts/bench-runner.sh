#!/usr/bin/env bash
# Measures a deployment through the runner beside the bare engine. Arguments are those of bench-runner: --rounds N,
# --resources N, --engine PATH.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require "${sandbox[@]}"
bench runner "$@"
