#!/usr/bin/env bash
# with-postgres.sh COMMAND [ARGUMENT...]
#
# Runs COMMAND with RAD_TEST_POSTGRES_URL naming a throw-away PostgreSQL: own data directory, a free loopback
# port, a random password, fsync on (the crash tests rely on it). It is gone when COMMAND ends or a signal comes.
# RAD_POSTGRES_SETTINGS can have more arguments for the server (-c name=value). COMMAND finds the server's programs in
# RAD_TEST_POSTGRES_BIN, for servers of its own that it kills.
# shellcheck disable=SC2317 # the functions that traps call
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir='' server='' command=''

main() {
    (($#)) || die "usage: with-postgres.sh COMMAND [ARGUMENT...]"
    local bin status=0
    bin=$(postgres_bin) || die "PostgreSQL's server programs are missing (Debian: postgresql)"
    trap clean_up EXIT
    trap 'interrupted 1' HUP
    trap 'interrupted 2' INT
    trap 'interrupted 15' TERM

    # Not $TMPDIR: the path of the socket must be short, and open to the user the server runs as.
    dir=$(mktemp -d /tmp/rad-postgres.XXXXXX)
    choose_user
    local password
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    create_cluster "$bin" "$password"
    start_server "$bin"
    say "PostgreSQL $("$bin/postgres" --version | awk '{print $3}') on 127.0.0.1:$port"

    export RAD_TEST_POSTGRES_URL="postgres://rad:$password@127.0.0.1:$port/postgres" RAD_TEST_POSTGRES_BIN=$bin
    in_own_group "$@"
    command=$!
    wait "$command" || status=$?
    command=''
    exit "$status"
}

# The server refuses to run as root; root lends it an account without rights.
choose_user() {
    as_server=()
    # The kernel stops the server even if this script is killed outright.
    have setpriv && as_server=(setpriv --pdeathsig INT)
    ((EUID == 0)) || return 0
    have setpriv || die "setpriv (Debian: util-linux) is missing; root can't start PostgreSQL without it"
    local user=nobody
    id postgres >/dev/null 2>&1 && user=postgres
    as_server+=(--reuid "$(id -u "$user")" --regid "$(id -g "$user")" --clear-groups)
    chown "$user" "$dir"
}

create_cluster() {
    local bin=$1 password=$2
    # Written by the user who reads it, into a directory nobody else can enter.
    "${as_server[@]}" tee "$dir/password" <<<"$password" >/dev/null
    (cd "$dir" && "${as_server[@]}" "$bin/initdb" --pgdata data --username rad --auth scram-sha-256 \
        --pwfile password --encoding UTF8 --locale C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1) ||
        { cat "$dir/initdb.log" >&2; die "initdb failed"; }
    rm "$dir/password"
}

# Nothing can reserve a port for another program: try some below the ephemeral range until one is free.
start_server() {
    local bin=$1 attempt
    for attempt in {1..20}; do
        port=$((15000 + RANDOM % 17000))
        in_own_group serve "$bin"
        server=$!
        if wait_until_ready "$bin"; then return; fi
        server=''
        grep -q 'Address already in use' "$dir/server.log" || break
    done
    cat "$dir/server.log" >&2
    die "PostgreSQL did not start (attempt $attempt)"
}

serve() {
    cd "$dir"
    local settings
    read -ra settings <<<"${RAD_POSTGRES_SETTINGS:-}"
    exec "${as_server[@]}" "$1/postgres" -D data -p "$port" \
        -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$dir" \
        -c fsync=on -c max_connections=200 "${settings[@]}" >"$dir/server.log" 2>&1
}

# Asked over the socket in our own directory, no other server can answer.
wait_until_ready() {
    for _ in {1..300}; do
        if "$1/pg_isready" --quiet --host "$dir" --port "$port"; then return 0; fi
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# A process group of its own: Ctrl-C at the terminal reaches only this script, which then ends things in order,
# and the whole tree below a command can be ended at once.
in_own_group() {
    set -m
    "$@" </dev/null &
    set +m
}

interrupted() {
    trap '' HUP INT TERM
    say "Interrupted, stopping"
    [[ -z $command ]] || stop TERM "-$command" 20
    exit $((128 + $1))
}

clean_up() {
    trap '' HUP INT TERM
    # INT is PostgreSQL's fast shutdown: it drops its clients instead of waiting for them.
    [[ -z $server ]] || stop INT "$server" 20
    [[ -z $dir ]] || rm -rf "$dir"
}

# stop SIGNAL TARGET SECONDS: asks, waits, then kills. TARGET is a process, or a group if negative.
stop() {
    kill -s "$1" -- "$2" 2>/dev/null || return 0
    for ((i = 0; i < $3 * 10; i++)); do
        kill -0 -- "$2" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -s KILL -- "$2" 2>/dev/null || true
}

main "$@"
