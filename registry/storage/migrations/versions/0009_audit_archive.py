"""The access log's archive: old entries in files, on record in the database; and what nightly checks found.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = """
CREATE TABLE registry.access_log_term (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    keep_years smallint NOT NULL CHECK (keep_years BETWEEN 5 AND 100),
    online_days integer NOT NULL CHECK (online_days BETWEEN 30 AND 3650)
);
INSERT INTO registry.access_log_term (keep_years, online_days) VALUES (5, 400);
COMMENT ON TABLE registry.access_log_term IS 'How long entries of the access log are kept (at least five years), and how long of that in the database';

CREATE TABLE registry.access_log_archive (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first bigint NOT NULL CHECK (first >= 0),
    until bigint NOT NULL,
    file text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    bytes bigint NOT NULL,
    newest_at timestamptz NOT NULL,
    keep_until timestamptz NOT NULL,
    archived_at timestamptz NOT NULL,
    restored_at timestamptz,
    CHECK (until > first),
    CHECK (keep_until >= newest_at + interval '5 years')
);
CREATE UNIQUE INDEX access_log_archive_first ON registry.access_log_archive (first) WHERE restored_at IS NULL;
CREATE UNIQUE INDEX access_log_archive_until ON registry.access_log_archive (until) WHERE restored_at IS NULL;
COMMENT ON TABLE registry.access_log_archive IS 'Entries that stand in files instead of the database, one stretch after the other from the log''s beginning';

CREATE TABLE registry.access_log_check (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    first bigint NOT NULL,
    until bigint NOT NULL,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    findings integer NOT NULL
);
COMMENT ON TABLE registry.access_log_check IS 'Nightly checks of the access log: from which entry to which, and how much was found';
"""

# Rows leave the table only when they stand in an archive.
FENCE = """
CREATE FUNCTION registry.refuse_removing_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.index < (
        SELECT max(until) FROM registry.access_log_archive WHERE restored_at IS NULL
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'registry.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
DROP TRIGGER access_log_append_only ON registry.access_log;
CREATE TRIGGER access_log_append_only BEFORE UPDATE OR DELETE ON registry.access_log
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_removing_entries();
"""


def upgrade() -> None:
    """Tables of the archive and of checks."""
    op.execute(TABLES)
    op.execute(FENCE)
