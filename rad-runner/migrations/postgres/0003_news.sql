-- Tells every process what changed, once it is committed: 'SCHEMA TOPIC', the topic as rad_core::live writes it. The same news
-- twice in a transaction are told once.
CREATE FUNCTION runner_tell_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('rad_runner', TG_TABLE_SCHEMA || ' run:' || encode(NEW.id, 'hex')::uuid);
    IF TG_OP = 'INSERT' OR NEW.status <> OLD.status THEN
        PERFORM pg_notify('rad_runner', TG_TABLE_SCHEMA || ' deployments');
        -- A run that ended may have been what the limit on its owner's runs waited for.
        IF NEW.status = 'queued' OR TG_OP = 'UPDATE' AND OLD.status = 'working' THEN
            PERFORM pg_notify('rad_runner', TG_TABLE_SCHEMA || ' queue');
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER runs_tell_when_stored AFTER INSERT ON runs
    FOR EACH ROW EXECUTE FUNCTION runner_tell_of_run();
-- Not of a lease that is lengthened.
CREATE TRIGGER runs_tell_when_changed AFTER UPDATE ON runs
    FOR EACH ROW
    WHEN ((OLD.status, OLD.step, OLD.waits_for, OLD.cancel_asked, OLD.log_length, OLD.diagnostics, OLD.settlement)
        IS DISTINCT FROM
        (NEW.status, NEW.step, NEW.waits_for, NEW.cancel_asked, NEW.log_length, NEW.diagnostics, NEW.settlement))
    EXECUTE FUNCTION runner_tell_of_run();

CREATE FUNCTION runner_tell_of_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('rad_runner', TG_TABLE_SCHEMA || ' run:' || encode(NEW.run, 'hex')::uuid);
    RETURN NULL;
END
$$;

CREATE TRIGGER run_resources_tell AFTER INSERT OR UPDATE ON run_resources
    FOR EACH ROW EXECUTE FUNCTION runner_tell_of_progress();
