#!/usr/bin/env bash
# Measures reading manifests beside a bare HCL parse and python-hcl2, which it installs into the build directory from PyPI, and
# compares what they read. Arguments are those of bench-manifest: PATH[//SUB_DIR] …, --rounds N; without any the sample modules.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_cargo
python=$(python_with bench-manifest-venv benches/requirements-manifest.txt)
(($#)) || set -- examples/modules
bench manifest --python "$python" "$@"
