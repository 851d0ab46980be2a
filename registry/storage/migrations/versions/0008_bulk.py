"""Exports, writes that are done once, and the noise of counts.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

EXPORTS = """
CREATE TABLE registry.export (
    id text COLLATE "C" PRIMARY KEY,
    client_id text NOT NULL REFERENCES registry.client,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    format text NOT NULL CHECK (format IN ('ndjson', 'csv', 'parquet')),
    byte_order_mark boolean NOT NULL DEFAULT false,
    part_records int NOT NULL CHECK (part_records > 0),
    as_of timestamptz NOT NULL,
    batches jsonb NOT NULL CHECK (jsonb_typeof(batches) = 'object'),
    feed_xid xid8 NOT NULL,
    terms bytea NOT NULL CHECK (octet_length(terms) = 32),
    expires_at timestamptz NOT NULL CHECK (expires_at > as_of)
);
CREATE INDEX export_by_client ON registry.export (client_id, as_of);
COMMENT ON TABLE registry.export IS 'A moment of a dataset that a client fetches in parts; no copy of any record';
COMMENT ON COLUMN registry.export.batches IS 'The newest batch of each connector that had been published: what these and earlier ones brought belongs to the export';

CREATE TABLE registry.export_part (
    export_id text COLLATE "C" NOT NULL REFERENCES registry.export ON DELETE CASCADE,
    number int NOT NULL CHECK (number >= 0),
    after_key text COLLATE "C",
    last_key text COLLATE "C",
    is_last boolean NOT NULL,
    records int NOT NULL CHECK (records >= 0),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    given_at timestamptz NOT NULL,
    PRIMARY KEY (export_id, number)
);
COMMENT ON TABLE registry.export_part IS 'What was given of an export: one row a part, as it was given last';
"""

ONCE = """
CREATE TABLE registry.idempotency_key (
    client_id text COLLATE "C" NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    claim uuid NOT NULL,
    claimed_at timestamptz NOT NULL,
    done_at timestamptz,
    scopes text[] COLLATE "C" NOT NULL,
    answer bytea,
    PRIMARY KEY (client_id, key_hash)
);
CREATE INDEX idempotency_key_by_age ON registry.idempotency_key (claimed_at);
COMMENT ON TABLE registry.idempotency_key IS 'Writes that clients named, so that sending one again does nothing again; kept for a day';
COMMENT ON COLUMN registry.idempotency_key.answer IS 'Sealed with a key that is made from the client''s own Idempotency-Key, which is kept nowhere';
"""

NOISE = """
CREATE TABLE registry.count_noise (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    secret bytea NOT NULL CHECK (octet_length(secret) = 32)
);
INSERT INTO registry.count_noise (secret) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
COMMENT ON TABLE registry.count_noise IS 'The secret from which the noise of counts is made: the same records always give the same noise';
"""


def upgrade() -> None:
    """Tables of bulk reads and of writes done once."""
    op.execute(EXPORTS)
    op.execute(ONCE)
    op.execute(NOISE)
