# What the engine's container of a run's pod runs: unpack, initialise, plan, and unless it only looks, apply. POSIX, for any small image.
# Told to stop, it asks the engine to come to an orderly end, and kills it after RAD_GRACE seconds.
set -u
umask 077
export HOME=/rad/work/home TF_DATA_DIR=/rad/work/data TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
engine=
stopped=

stop() {
    stopped=1
    if [ -n "$engine" ]; then
        kill -TERM "$engine" 2>/dev/null
        (sleep "$RAD_GRACE" && kill -KILL "$engine" 2>/dev/null) &
    fi
}
trap stop TERM INT

# Tells the runner, which follows this log, where the run stands.
mark() { printf '{"@message":"","type":"rad_step","step":"%s"}\n' "$1"; }

# Runs the engine so that a signal is heard while it runs.
run() {
    [ -z "$stopped" ] || exit 20
    set -- "$RAD_PROGRAM" "$@"
    if [ -e /rad/inputs/credentials.sh ]; then
        # Read where the engine is started: what is granted changes nothing here.
        set -- /bin/sh -c '. "$0" && exec "$@"' /rad/inputs/credentials.sh "$@"
    fi
    "$@" 2>&1 &
    engine=$!
    status=0
    while :; do
        wait "$engine"
        status=$?
        kill -0 "$engine" 2>/dev/null || break
    done
    engine=
    [ "$status" -eq 0 ] || exit 1
}

mark init
mkdir -p /rad/work/module /rad/work/state /rad/work/data /rad/work/home || exit 70
cat /rad/inputs/part-* | tar -xzf - -C /rad/work || exit 70
cd /rad/work/module || exit 70
run init -input=false -no-color ${RAD_INIT:+"$RAD_INIT"}
case $(tr -d ' \n' 2>/dev/null <"$TF_DATA_DIR/terraform.tfstate") in
*'"backend":{"type":"local","config":{"path":"/rad/work/state/terraform.tfstate",'*) ;;
*)
    printf '%s\n' "$RAD_ELSEWHERE"
    exit 1
    ;;
esac

mark plan
run plan -json -lock=false -input=false -no-color -var-file=/rad/inputs/values.tfvars.json \
    -out=/rad/work/state/plan.out ${RAD_PLAN:+"$RAD_PLAN"}

[ "${RAD_PLAN:-}" != -refresh-only ] || exit 0

mark planned
: >/rad/work/state/planned
# The runner has what comes stored before anything is changed.
until [ -e /rad/gate/open ]; do
    [ -z "$stopped" ] || exit 20
    sleep 1 &
    wait $!
done

mark apply
if [ -e /rad/inputs/ephemeral.tfvars.json ]; then
    run apply -json -lock=false -input=false -no-color -var-file=/rad/inputs/ephemeral.tfvars.json \
        /rad/work/state/plan.out
else
    run apply -json -lock=false -input=false -no-color /rad/work/state/plan.out
fi
