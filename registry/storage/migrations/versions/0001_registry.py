"""The registry: datasets, connectors, batches, records with history, the change feed, quarantine, API clients.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0001"
down_revision = None

SQL = """
CREATE SCHEMA staging;

CREATE TABLE registry.dataset (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    schema text NOT NULL,
    title_zh text NOT NULL,
    title_en text NOT NULL,
    department text NOT NULL,
    key text[] NOT NULL,
    entity_field text,
    sharing text NOT NULL CHECK (sharing IN ('unconditional', 'conditional', 'none')),
    registered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.dataset IS 'One kind of record the registry holds 资源目录项';

CREATE TABLE registry.connector (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    department text NOT NULL,
    title_zh text NOT NULL,
    title_en text NOT NULL,
    owner_name text NOT NULL,
    owner_email text NOT NULL,
    schedule text,
    freshness interval,
    manifest_digest text NOT NULL,
    cursor jsonb,
    cursor_batch_id bigint,
    records bigint NOT NULL DEFAULT 0,
    read_at timestamptz,
    published_at timestamptz,
    registered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN registry.connector.cursor IS 'How far the source is read and published; moves in the publishing transaction only';
COMMENT ON COLUMN registry.connector.records IS 'Current records that came through this connector';
COMMENT ON COLUMN registry.connector.read_at IS 'When the source was last read to the end and published, also when nothing was new: the age of the data';

CREATE TABLE registry.batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector_id int NOT NULL REFERENCES registry.connector,
    state text NOT NULL CHECK (state IN ('pulling', 'held', 'published', 'superseded', 'discarded', 'dry_run')),
    mode text NOT NULL CHECK (mode IN ('incremental', 'full')),
    dry_run boolean NOT NULL DEFAULT false,
    schema text NOT NULL,
    manifest_digest text NOT NULL,
    base_batch_id bigint,
    since jsonb,
    reached jsonb,
    run_id text,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    pulled bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    delete_flags bigint NOT NULL DEFAULT 0,
    new bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    held_reasons jsonb NOT NULL DEFAULT '[]',
    approved_by text,
    superseded_by bigint
);
CREATE INDEX batch_by_connector ON registry.batch (connector_id, id DESC);
CREATE INDEX batch_open ON registry.batch (connector_id) WHERE state IN ('pulling', 'held');
COMMENT ON TABLE registry.batch IS 'What one run of one connector pulled and published 批次';
COMMENT ON COLUMN registry.batch.base_batch_id IS 'The connector''s last published batch when this one was planned; another one by the time of publishing supersedes it';

CREATE TABLE registry.batch_part (
    batch_id bigint NOT NULL REFERENCES registry.batch ON DELETE CASCADE,
    number int NOT NULL,
    label text NOT NULL,
    spec jsonb NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    staged_attempt int,
    staged_at timestamptz,
    pulled bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    delete_flags bigint NOT NULL DEFAULT 0,
    unchanged boolean NOT NULL DEFAULT false,
    reached jsonb,
    missing_columns text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (batch_id, number)
);

CREATE TABLE registry.staged_refusal (
    batch_id bigint NOT NULL,
    part int NOT NULL,
    attempt int NOT NULL,
    ordinal bigint NOT NULL,
    row_id text COLLATE "C" NOT NULL,
    key text COLLATE "C",
    place text NOT NULL,
    raw jsonb NOT NULL,
    reasons jsonb NOT NULL
);
CREATE INDEX staged_refusal_by_batch ON registry.staged_refusal (batch_id, part, attempt);

CREATE SEQUENCE registry.change_seq CACHE 1;

CREATE TABLE registry.record (
    dataset_id smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    body jsonb NOT NULL,
    hash uuid NOT NULL,
    version bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    connector_id int NOT NULL,
    row_id text COLLATE "C" NOT NULL,
    entity text COLLATE "C",
    PRIMARY KEY (dataset_id, key)
) PARTITION BY LIST (dataset_id);
CREATE INDEX record_by_row ON registry.record (connector_id, row_id);
CREATE INDEX record_by_entity ON registry.record (entity);
COMMENT ON COLUMN registry.record.hash IS 'Digest of the canonical JSON body: equal hashes write nothing';
COMMENT ON COLUMN registry.record.version IS 'Number of the change that made this version (registry.change.seq)';
COMMENT ON COLUMN registry.record.row_id IS 'The row''s own identity at the source: finds a record again whose key was wrong';

CREATE TABLE registry.record_history (
    dataset_id smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    body jsonb NOT NULL,
    hash uuid NOT NULL,
    version bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    ended_batch_id bigint NOT NULL,
    connector_id int NOT NULL,
    row_id text COLLATE "C" NOT NULL,
    entity text COLLATE "C",
    PRIMARY KEY (dataset_id, key, version)
) PARTITION BY LIST (dataset_id);
CREATE INDEX record_history_by_entity ON registry.record_history (entity);
COMMENT ON TABLE registry.record_history IS 'Versions that a later change or a deletion ended';

CREATE TABLE registry.change (
    xid xid8 NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    dataset_id smallint NOT NULL,
    batch_id bigint NOT NULL,
    operation "char" NOT NULL,
    key text COLLATE "C" NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX change_in_order ON registry.change (xid, seq);
COMMENT ON TABLE registry.change IS 'The change feed 变更: n new, c changed, d deleted; read in (xid, seq) order below the oldest running transaction';

CREATE TABLE registry.refusal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector_id int NOT NULL REFERENCES registry.connector,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    department text NOT NULL,
    row_id text COLLATE "C" NOT NULL,
    key text COLLATE "C",
    place text NOT NULL,
    raw jsonb NOT NULL,
    reasons jsonb NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    first_batch_id bigint NOT NULL,
    last_batch_id bigint NOT NULL,
    times_seen int NOT NULL DEFAULT 1,
    closed_at timestamptz,
    closed_batch_id bigint,
    closed_because text CHECK (closed_because IN ('corrected', 'deleted', 'gone'))
);
CREATE UNIQUE INDEX refusal_open ON registry.refusal (connector_id, row_id) WHERE closed_at IS NULL;
CREATE INDEX refusal_open_by_key ON registry.refusal (dataset_id, key) WHERE closed_at IS NULL;
CREATE INDEX refusal_by_department ON registry.refusal (department, id) WHERE closed_at IS NULL;
COMMENT ON TABLE registry.refusal IS 'Quarantine 隔离: one row per refused record and ticket, however often it was seen';

CREATE TABLE registry.client (
    id text PRIMARY KEY,
    name text NOT NULL,
    secret_hash text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
COMMENT ON TABLE registry.client IS 'Downstream systems; a scope is read:<dataset>, or one of the administrative scopes';

CREATE FUNCTION registry.ensure_change_partition(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month date := date_trunc('month', moment AT TIME ZONE 'UTC');
    name text := 'change_' || to_char(month, 'YYYYMM');
BEGIN
    IF to_regclass('registry.' || name) IS NULL THEN
        PERFORM pg_advisory_xact_lock(1397249361, 1);
        IF to_regclass('registry.' || name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE registry.%I PARTITION OF registry.change FOR VALUES FROM (%L) TO (%L)',
                name, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        END IF;
    END IF;
END $$;
"""


def upgrade() -> None:
    """Everything the first edition needs."""
    op.execute(SQL)
