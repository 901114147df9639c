-- Every version of the settings that was ever in force. A charge names the version that decided it.

CREATE TABLE settings_versions (
    version  bigint      NOT NULL PRIMARY KEY CHECK (version > 0),
    settings text        NOT NULL,
    by       bytea       NOT NULL CHECK (octet_length(by) = 16),
    since    timestamptz NOT NULL
);

CREATE FUNCTION settings_versions_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% refused: versions of the settings never change', TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER settings_versions_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON settings_versions
    FOR EACH STATEMENT EXECUTE FUNCTION settings_versions_never_change();
