# What the keeper's container of a run's pod runs: it stores every complete state in Secrets, opens the gate before the
# apply, and, told to stop once the engine is gone, stores the last state. Module code sees neither it nor its token.
set -u
umask 077
work=/rad/work
own=/rad/own
api=$RAD_API/api/v1/namespaces/$RAD_NAMESPACE
ended=
trap 'ended=1' TERM INT

# call METHOD URL [OPTION...]: the body comes from the standard input; the token is on no command line.
call() {
    printf 'Authorization: Bearer %s\n' "$(cat /rad/token/token)" >"$own/header"
    method=$1
    url=$2
    shift 2
    curl --silent --show-error --fail --max-time 30 --cacert /rad/token/ca.crt --request "$method" \
        --header "@$own/header" "$@" "$url"
}

# put NAME KIND KEY FILE: makes or replaces a Secret with one value.
put() {
    {
        printf '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"%s","labels":{"rad-kept":"%s",%s}},"data":{"%s":"' \
            "$1" "$2" "$RAD_LABELS" "$3"
        base64 <"$4" | tr -d '\n'
        printf '"}}'
    } | call PATCH "$api/secrets/$1?fieldManager=rad-keeper&force=true" \
        --header 'Content-Type: application/apply-patch+yaml' --data-binary @- >/dev/null
}

# keep FILE KIND: stores a state unless it is stored already or is just being written. The parts of the newest one are
# never touched: those of the next go into the other slot, and then the head names it.
keep() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 0
    head -c "$RAD_LARGEST" <"$1" >"$own/copy" 2>/dev/null || return 0
    # The engine writes an indented object: its last line, and no other, is the closing brace alone.
    [ "$(tail -n 1 "$own/copy")" = "}" ] && cmp -s "$own/copy" "$1" || return 0
    sum=$(sha256sum <"$own/copy")
    sum=${sum%% *}
    [ "$sum" != "$(cat "$own/$2.sum" 2>/dev/null)" ] || return 0
    gzip -c <"$own/copy" >"$own/packed" || return 1
    slot=a
    [ "$(cat "$own/$2.slot" 2>/dev/null)" != a ] || slot=b
    parts=0
    while dd if="$own/packed" of="$own/part" bs="$RAD_PART" skip="$parts" count=1 2>/dev/null && [ -s "$own/part" ]; do
        put "$RAD_JOB-$2-$slot-$parts" part part "$own/part" || return 1
        parts=$((parts + 1))
    done
    printf '%s %s %s' "$slot" "$parts" "$sum" >"$own/head"
    put "$RAD_JOB-$2" head head "$own/head" || return 1
    printf '%s' "$slot" >"$own/$2.slot"
    printf '%s' "$sum" >"$own/$2.sum"
}

keep_all() {
    keep "$work/state/terraform.tfstate" state && keep "$work/module/errored.tfstate" errored
}

# Opens the gate when the runner has said on the Job that the plan may be applied.
open_gate() {
    [ -e "$work/state/planned" ] && [ ! -e /rad/gate/open ] || return 0
    if call GET "$RAD_API/apis/batch/v1/namespaces/$RAD_NAMESPACE/jobs/$RAD_JOB" | tr -d ' \n' |
        grep -q '"rad-apply":"yes"'; then
        : >/rad/gate/open
    fi
}

while [ -z "$ended" ]; do
    keep_all
    open_gate
    sleep 1 &
    wait $!
done
until keep_all; do
    sleep 1
done
