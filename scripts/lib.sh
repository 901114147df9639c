# What the scripts of this directory share. Sourced, never run.
# shellcheck shell=bash

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Every script works from the root of the repository, wherever it was called from.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# CI must not repair a stale Cargo.lock behind the author's back.
# shellcheck disable=SC2034 # used by the scripts that source this file
locked=(${CI:+--locked})

# Every feature of every crate but those that are heavy and tested apart, by `make test-all`: what --features takes.
light_features() {
    local heavy='^(rad-runner|portal)/kubernetes$'
    awk -v heavy="$heavy" '
        FNR == 1 { section = ""; crate = "" }
        /^\[/ { section = $0 }
        section == "[package]" && /^name = / { gsub(/"/, "", $3); crate = $3 }
        section == "[features]" && /^[a-z0-9_-]+ = / && crate "/" $1 !~ heavy { printf "%s%s/%s", separator, crate, $1; separator = "," }
    ' ./*/Cargo.toml examples/*/Cargo.toml
}

need_cargo() {
    have cargo || die "cargo is missing. Install Rust with rustup: https://rustup.rs"
}

# The bundled SQLite is C; a compiler without the C library's headers can't build it.
has_c_compiler() { have cc && cc -include stdio.h -x c -fsyntax-only /dev/null 2>/dev/null; }

# A Python in a directory of its own below the build directory, with what a file requires from PyPI. Prints where it is.
python_with() {
    local venv="${CARGO_TARGET_DIR:-target}/$1" requirements=$2
    have python3 || die "python3 is missing. On Debian: apt-get install python3 python3-venv"
    if [[ ! -x $venv/bin/python ]]; then
        say "installing what $requirements names into $venv"
        python3 -m venv "$venv"
    fi
    "$venv/bin/pip" --quiet --disable-pip-version-check install --requirement "$requirements" >&2
    echo "$venv/bin/python"
}

# bench NAME [ARGUMENT...]: builds a bench and becomes it.
bench() {
    require "c_compiler:gcc libc6-dev:builds the bundled SQLite"
    exec cargo run --release --quiet "${locked[@]}" --package rad-benches --bin "bench-$1" -- "${@:2}"
}

# The directory of PostgreSQL's server programs, which Debian keeps off PATH.
postgres_bin() {
    local dir
    if have initdb; then
        dir=$(dirname "$(readlink -f "$(command -v initdb)")")
        [[ -x $dir/postgres ]] && echo "$dir" && return
    fi
    dir=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    [[ -n $dir && -x $dir/initdb && -x $dir/postgres ]] && echo "$dir"
}

has_postgres() { postgres_bin >/dev/null; }
has_bubblewrap() { have bwrap; }
has_pasta() { have pasta || have slirp4netns; }
has_iproute2() { have ip; }
has_util_linux() { have setpriv && have prlimit && have unshare; }
has_chromium() { have chromium || have chromium-browser || have google-chrome; }
has_chromedriver() { have chromedriver; }
has_curl() { have curl; }
has_git() { have git; }
has_hledger() { have hledger; }
has_beancount() { have bean-check && have bean-query; }

# Why this host cannot enforce all that the tests of isolation try; nothing if it can.
isolation_gap() {
    local controller path
    for controller in memory pids; do
        path=$(sed -n "s/^[0-9]*:\(.*,\)\?$controller\(,.*\)\?:/\/sys\/fs\/cgroup\/$controller/p" /proc/self/cgroup)
        if [[ -n $path ]]; then
            [[ -w $path ]]
        else
            gives_groups "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)" "$controller"
        fi || { echo "no control group of $controller in which runs could have theirs"; return; }
    done
    ip -4 route show default | grep -q . || echo "no default route"
}

# Whether groups below this one of version 2 get a controller, tried out as the runner does, and undone: the kernel enables none
# in a group that has processes, as the one of this shell and of make has, but the root.
gives_groups() {
    local directory=$1 controller=$2 group=$1/rad-try-$$ before='' gives=1
    grep -qsw "$controller" "$directory/cgroup.controllers" || return
    ! grep -qsw "$controller" "$directory/cgroup.subtree_control" || before=enabled
    mkdir "$group" 2>/dev/null || return
    if { [[ -n $before ]] || echo "+$controller" >"$directory/cgroup.subtree_control"; } 2>/dev/null; then
        [[ ! -w $group/$controller.max ]] || gives=0
        [[ -n $before ]] || { echo "-$controller" >"$directory/cgroup.subtree_control"; } 2>/dev/null || true
    fi
    rmdir "$group"
    return "$gives"
}

# Tests that this host cannot run must not pass as if it could: they fail where RAD_REQUIRE_ISOLATION is 1, which is so wherever
# the host can run them, and in continuous integration unless it is set to 0.
require_isolation() {
    local gap
    gap=$(isolation_gap)
    [[ -n $gap ]] || export RAD_REQUIRE_ISOLATION=${RAD_REQUIRE_ISOLATION:-1}
    [[ -z ${CI:-} ]] || export RAD_REQUIRE_ISOLATION=${RAD_REQUIRE_ISOLATION:-1}
    [[ -z $gap ]] || say "NOT ALL LIMITS OF RUNS ARE TESTED HERE: $gap. With RAD_REQUIRE_ISOLATION=1 their tests fail"
}

# The machine's own tofu or terraform is the one tested; a pinned OpenTofu is fetched only where there is none.
find_terraform() {
    [[ -z ${RAD_TERRAFORM:-} ]] || return 0
    ! have tofu && ! have terraform || return 0
    if RAD_TERRAFORM=$(scripts/fetch-opentofu.sh); then
        export RAD_TERRAFORM
    else
        say "No tofu and no terraform: the tests that apply modules (rad-runner, quickstart, portal) can't run; each names itself"
    fi
}

# What runs of modules need beside the engine.
# shellcheck disable=SC2034 # used by the scripts that source this file
sandbox=(
    "bubblewrap:bubblewrap:the sandbox of deployment runs"
    "pasta:passt:the network of deployment runs"
    "iproute2:iproute2:the network of deployment runs"
    "util_linux:util-linux:the limits of deployment runs"
)

# Installs what is missing with apt where apt exists, and otherwise names it and fails.
# Each argument is "need:Debian packages:what for", with a function `has_need` that tells if it is there.
require() {
    local entry need packages purpose missing=() to_install=()
    for entry in "$@"; do
        IFS=: read -r need packages purpose <<<"$entry"
        "has_$need" && continue
        missing+=("${need//_/ } ($purpose; Debian: $packages)")
        read -ra packages <<<"$packages"
        to_install+=("${packages[@]}")
    done
    ((${#missing[@]})) || return 0

    say "Missing: $(join '; ' "${missing[@]}")"
    apt_install "${to_install[@]}" || die "install what is missing by hand: $(join '; ' "${missing[@]}")"
    for entry in "$@"; do
        need=${entry%%:*}
        hash -r
        "has_$need" || die "${need//_/ } is still missing after apt-get install"
    done
}

join() {
    local separator=$1 joined=$2 item
    for item in "${@:3}"; do joined+=$separator$item; done
    printf '%s' "$joined"
}

# Installs Debian packages as root or through sudo; fails without asking where nobody could answer.
apt_install() {
    local as_root=()
    have apt-get || { say "There is no apt-get on this machine"; return 1; }
    if ((EUID != 0)); then
        have sudo || { say "apt-get needs root, and there is no sudo"; return 1; }
        as_root=(sudo)
        [[ -t 0 ]] || as_root+=(--non-interactive)
    fi
    say "Installing with apt-get: $*"
    "${as_root[@]}" apt-get update -qq -o DPkg::Lock::Timeout=120 >&2 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            -o DPkg::Lock::Timeout=120 "$@" >&2
}
