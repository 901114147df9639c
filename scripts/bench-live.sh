#!/usr/bin/env bash
# Measures how long a log line takes from Terraform's write to everybody who watches the run in a browser. Arguments are those of
# bench-live: --watchers 1,50,200, --lines N.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require "git:git:makes the repository of the module" "${sandbox[@]}"
bench live "$@"
