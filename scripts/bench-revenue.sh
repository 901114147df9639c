#!/usr/bin/env bash
# Measures the revenue engine beside DuckDB and Polars, which it installs into the build directory from PyPI. Options are
# those of bench-revenue: --entries N, --rounds N, --stream.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
python=$(python_with bench-venv benches/requirements.txt)
bench revenue --python "$python" "$@"
