#!/usr/bin/env bash
# Builds the portal in release mode and starts it on its embedded defaults, in what deployments need of Debian.
# Arguments go to the portal; it prints its URL and the demo accounts itself.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
require "c_compiler:gcc libc6-dev:builds the bundled SQLite" "${sandbox[@]}"
exec cargo run "${locked[@]}" --release --package portal -- "$@"
