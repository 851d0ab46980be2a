"""Clients prove who they are by several secrets, keys or certificates; what attempts at tokens cost them.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

SQL = """
ALTER TABLE registry.client
    ADD COLUMN methods text[] NOT NULL DEFAULT '{client_secret}'
        CHECK (methods <@ '{client_secret,private_key_jwt,tls_client_auth,self_signed_tls_client_auth,external}'::text[]),
    ADD COLUMN external_name text UNIQUE,
    ADD COLUMN requests_per_second int CHECK (requests_per_second > 0);
COMMENT ON COLUMN registry.client.methods IS 'How it may prove who it is, as RFC 7591 and RFC 8705 name the ways';

CREATE TABLE registry.client_credential (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL REFERENCES registry.client,
    kind text NOT NULL CHECK (kind IN ('secret', 'key', 'certificate', 'subject')),
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz
);
CREATE INDEX client_credential_by_client ON registry.client_credential (client_id, id);
COMMENT ON TABLE registry.client_credential IS 'What clients prove with who they are: hashes of secrets, public keys, certificates; several at once while one takes another''s place';

INSERT INTO registry.client_credential (client_id, kind, content, created_at)
SELECT id, 'secret', secret_hash, created_at FROM registry.client;
ALTER TABLE registry.client DROP COLUMN secret_hash;

CREATE TABLE registry.client_assertion (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    ends_at timestamptz NOT NULL
);
CREATE INDEX client_assertion_by_end ON registry.client_assertion (ends_at);
COMMENT ON TABLE registry.client_assertion IS 'Signed assertions that were used: none is taken twice';

CREATE TABLE registry.token_pace (
    subject bytea PRIMARY KEY CHECK (octet_length(subject) = 32),
    spent_until timestamptz NOT NULL
);
CREATE INDEX token_pace_by_end ON registry.token_pace (spent_until);
COMMENT ON TABLE registry.token_pace IS 'How much of their allowance those who ask for tokens have spent; a row whose time has passed says nothing';
"""


def upgrade() -> None:
    """Credentials of clients, and the pace at which tokens are asked for."""
    op.execute(SQL)
