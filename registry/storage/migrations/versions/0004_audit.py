"""The access log that can be checked: entries, the tree over them, and its checkpoints.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

LOG = """
CREATE TABLE registry.access_log (
    index bigint NOT NULL CHECK (index >= 0),
    at timestamptz NOT NULL CHECK (at > '2000-01-01Z' AND at < '9000-01-01Z'),
    action text NOT NULL,
    status smallint NOT NULL,
    client text COLLATE "C",
    dataset text COLLATE "C",
    entity text COLLATE "C",
    entities text[] COLLATE "C",
    fields text[] COLLATE "C",
    purpose text,
    case_number text,
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    trace_id text NOT NULL,
    process text NOT NULL,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    PRIMARY KEY (index)
) PARTITION BY RANGE (index);
CREATE INDEX access_log_by_entity ON registry.access_log (entity, index) WHERE entity IS NOT NULL;
CREATE INDEX access_log_by_entities ON registry.access_log USING gin (entities) WHERE entities IS NOT NULL;
CREATE INDEX access_log_by_client ON registry.access_log (client, index) WHERE client IS NOT NULL;
CREATE INDEX access_log_by_time ON registry.access_log USING brin (at) WITH (pages_per_range = 32);
COMMENT ON TABLE registry.access_log IS 'Every answer of the API with its client and purpose, and administrative acts 访问日志; append-only, the leaves of a Merkle tree';
COMMENT ON COLUMN registry.access_log.index IS 'Dense from 0, in the order of commits: a gap is a removed entry';

CREATE TABLE registry.access_log_tile (
    tile bigint PRIMARY KEY,
    hashes bytea NOT NULL CHECK (octet_length(hashes) = 8192)
);
ALTER TABLE registry.access_log_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE registry.access_log_tile IS 'The leaf hashes of each 256 entries together: proofs are made from it, and a changed row is located by it';

CREATE TABLE registry.access_log_node (
    level smallint NOT NULL CHECK (level >= 8),
    number bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, number)
);
COMMENT ON TABLE registry.access_log_node IS 'The hashes of perfect subtrees over whole tiles';

CREATE TABLE registry.access_log_head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    size bigint NOT NULL,
    peaks bytea[] NOT NULL
) WITH (fillfactor = 20);
INSERT INTO registry.access_log_head (size, peaks) VALUES (0, '{}');
COMMENT ON TABLE registry.access_log_head IS 'How long the access log is, and the right edge of its tree; its row is locked by whoever appends';

CREATE TABLE registry.access_log_checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    key_id text NOT NULL,
    made_at timestamptz NOT NULL
);
COMMENT ON TABLE registry.access_log_checkpoint IS 'Signed heads of the tree, as https://c2sp.org/tlog-checkpoint has them';
"""

# Stretches of 2**24 entries, each a subtree of its own: an archived one is still proven by one hash.
# Made beside the table and attached, for CREATE ... PARTITION OF would wait for whoever reads the log.
STRETCHES = """
CREATE FUNCTION registry.ensure_access_log_stretch(stretch bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'access_log_' || stretch;
    first bigint := stretch << 24;
BEGIN
    IF to_regclass('registry.' || name) IS NULL THEN
        EXECUTE format('CREATE TABLE registry.%I (LIKE registry.access_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('ALTER TABLE registry.access_log ATTACH PARTITION registry.%I FOR VALUES FROM (%s) TO (%s)',
            name, first, first + (1 << 24));
    END IF;
END $$;
SELECT registry.ensure_access_log_stretch(stretch) FROM generate_series(0, 1) AS stretch;
"""

# A fence for mistakes, none for whoever owns the tables: that is what the tree is for.
APPEND_ONLY = """
CREATE FUNCTION registry.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'registry.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""
FENCED = ("access_log", "access_log_tile", "access_log_node", "access_log_checkpoint")


def upgrade() -> None:
    """Tables of the access log."""
    op.execute(LOG)
    op.execute(APPEND_ONLY)
    for table in FENCED:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON registry.{table}"
            " FOR EACH ROW EXECUTE FUNCTION registry.refuse_rewriting()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON registry.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_rewriting()"
        )
    op.execute(STRETCHES)
