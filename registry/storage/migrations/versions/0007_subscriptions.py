"""Subscriptions to the change feed, what could not be delivered, and how far back the feed reaches.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

SQL = """
CREATE TABLE registry.subscription (
    id text COLLATE "C" PRIMARY KEY,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    client_id text NOT NULL REFERENCES registry.client,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    url text NOT NULL,
    batch boolean NOT NULL DEFAULT false,
    purpose text,
    case_number text,
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_until timestamptz,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active', 'paused', 'ended')),
    reason text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch int NOT NULL DEFAULT 0,
    verified_at timestamptz,
    position_xid xid8 NOT NULL,
    position_seq bigint NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    failing_since timestamptz,
    next_attempt_at timestamptz,
    last_error text,
    delivered bigint NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    test_requested_at timestamptz,
    tested_at timestamptz,
    test_result text,
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
) WITH (fillfactor = 60);
CREATE INDEX subscription_by_client ON registry.subscription (client_id) WHERE state <> 'ended';
CREATE INDEX subscription_by_change ON registry.subscription (changed_at);
COMMENT ON TABLE registry.subscription IS 'Where changes of a dataset are delivered to a client by webhook 订阅';
COMMENT ON COLUMN registry.subscription.epoch IS 'Raised when somebody sets the position: what was delivered before then moves it no more';

CREATE TABLE registry.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id text COLLATE "C" NOT NULL REFERENCES registry.subscription ON DELETE CASCADE,
    xid xid8 NOT NULL,
    seq bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    attempts int NOT NULL,
    reason text NOT NULL,
    died_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    redeliver_at timestamptz,
    redelivered_at timestamptz,
    UNIQUE (subscription_id, xid, seq)
);
CREATE INDEX dead_letter_wanted ON registry.dead_letter (subscription_id, id) WHERE redeliver_at IS NOT NULL;
COMMENT ON TABLE registry.dead_letter IS 'Changes that a receiver did not take: which ones, never what was in them 死信';

CREATE TABLE registry.change_horizon (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    xid xid8 NOT NULL,
    seq bigint NOT NULL
);
INSERT INTO registry.change_horizon (xid, seq) VALUES ('0', 0);
COMMENT ON TABLE registry.change_horizon IS 'The newest change that is no longer kept: who stands before it cannot go on';
"""


def upgrade() -> None:
    """Tables of subscriptions."""
    op.execute(SQL)
