-- Every version of the settings that was ever in force. A charge names the version that decided it.

CREATE TABLE settings_versions (
    version  INTEGER NOT NULL PRIMARY KEY CHECK (version > 0),
    settings TEXT    NOT NULL,
    by       BLOB    NOT NULL CHECK (length(by) = 16),
    since    INTEGER NOT NULL
) STRICT;

CREATE TRIGGER settings_versions_never_change BEFORE UPDATE ON settings_versions
BEGIN SELECT RAISE(ABORT, 'versions of the settings never change'); END;

CREATE TRIGGER settings_versions_never_go BEFORE DELETE ON settings_versions
BEGIN SELECT RAISE(ABORT, 'versions of the settings are never removed'); END;
