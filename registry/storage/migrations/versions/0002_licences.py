"""E-licences: issuers and their keys, licences with their forms and events, status lists, annotated copies.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = """
CREATE TABLE registry.issuer (
    code text COLLATE "C" PRIMARY KEY,
    name text NOT NULL UNIQUE,
    name_en text NOT NULL,
    aliases text[] NOT NULL DEFAULT '{}',
    did text NOT NULL UNIQUE,
    registered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.issuer IS 'Issuing authorities 证照颁发机构 that have a seal at this hub';
COMMENT ON COLUMN registry.issuer.aliases IS 'Other names under which records name the authority';

CREATE TABLE registry.signing_key (
    id text COLLATE "C" PRIMARY KEY,
    issuer_code text COLLATE "C" REFERENCES registry.issuer,
    purpose text NOT NULL CHECK (purpose IN ('root', 'hub', 'seal', 'sm2')),
    state text NOT NULL CHECK (state IN ('active', 'retired', 'revoked')),
    algorithm text NOT NULL,
    public_key bytea NOT NULL,
    certificate bytea,
    sealed_private_key bytea NOT NULL,
    master_key_id text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    revoked_at timestamptz,
    revocation_reason text CHECK (revocation_reason IN ('key_compromise', 'cessation', 'superseded')),
    CHECK ((purpose IN ('root', 'hub')) = (issuer_code IS NULL)),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE UNIQUE INDEX signing_key_active ON registry.signing_key (purpose, coalesce(issuer_code, '')) WHERE state = 'active';
COMMENT ON TABLE registry.signing_key IS 'Keys and seal certificates; private keys are sealed with the master key, which is not in the database';
COMMENT ON COLUMN registry.signing_key.purpose IS 'root: signs certificates; hub: signs the trust list; seal: signs an issuer''s licences and status lists; sm2: second signature';

CREATE TABLE registry.status_group (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_code text COLLATE "C" NOT NULL REFERENCES registry.issuer,
    size int NOT NULL CHECK (size >= 131072),
    used int NOT NULL DEFAULT 0 CHECK (used <= size),
    index_order bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE registry.status_group ALTER COLUMN index_order SET STORAGE EXTERNAL;
CREATE INDEX status_group_open ON registry.status_group (issuer_code) WHERE used < size;
COMMENT ON TABLE registry.status_group IS 'A range of positions shared by an issuer''s status lists, one per purpose';
COMMENT ON COLUMN registry.status_group.index_order IS 'Every index once in random order, four bytes each, big-endian; the first `used` are taken';

CREATE TABLE registry.status_list (
    group_id bigint NOT NULL REFERENCES registry.status_group,
    purpose text NOT NULL CHECK (purpose IN ('revocation', 'suspension', 'message')),
    status_size smallint NOT NULL,
    bits bytea NOT NULL,
    edition bigint NOT NULL DEFAULT 1,
    document bytea NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES registry.signing_key,
    signed_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    PRIMARY KEY (group_id, purpose)
);
ALTER TABLE registry.status_list ALTER COLUMN bits SET STORAGE EXTERNAL;
COMMENT ON TABLE registry.status_list IS 'Bitstring Status Lists; the document is the signed credential of these very bits, written in the same transaction';

CREATE TABLE registry.licence_type (
    name text COLLATE "C" PRIMARY KEY,
    version int NOT NULL,
    code text NOT NULL,
    digest text NOT NULL,
    dataset text NOT NULL,
    title_zh text NOT NULL,
    title_en text NOT NULL,
    followed_xid xid8 NOT NULL,
    followed_seq bigint NOT NULL,
    first_load_key text COLLATE "C",
    first_load_ended_at timestamptz,
    followed_at timestamptz,
    swept_on date,
    refusals_examined text,
    registered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN registry.licence_type.followed_seq IS 'With followed_xid: how far this type has followed the change feed; moves in the issuing transaction only';
COMMENT ON COLUMN registry.licence_type.first_load_key IS 'How far the records that were there before the type have been gone through';
COMMENT ON COLUMN registry.licence_type.refusals_examined IS 'Digest of the authorities and the type''s file with which its refusals were last gone through again';
COMMENT ON COLUMN registry.licence_type.swept_on IS 'The last day whose ends of term have been entered as state 05';

CREATE TABLE registry.licence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identifier text COLLATE "C" NOT NULL UNIQUE,
    serial text COLLATE "C" NOT NULL,
    version smallint NOT NULL,
    type text COLLATE "C" NOT NULL,
    type_version int NOT NULL,
    issuer_code text COLLATE "C" NOT NULL REFERENCES registry.issuer,
    number text COLLATE "C" NOT NULL,
    holder_code text COLLATE "C" NOT NULL,
    holder_code_type text NOT NULL,
    holder_name text NOT NULL,
    issued_on date NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    content jsonb NOT NULL,
    content_hash uuid NOT NULL,
    dataset_id smallint REFERENCES registry.dataset,
    key text COLLATE "C",
    record_version bigint,
    batch_id bigint,
    connector_id int,
    row_id text COLLATE "C",
    state text NOT NULL,
    state_text text,
    state_since timestamptz NOT NULL,
    status_group_id bigint NOT NULL REFERENCES registry.status_group,
    status_index int NOT NULL,
    supersedes bigint REFERENCES registry.licence,
    superseded_by bigint REFERENCES registry.licence DEFERRABLE INITIALLY DEFERRED,
    superseded_at timestamptz,
    issued_at timestamptz NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES registry.signing_key,
    UNIQUE (status_group_id, status_index),
    CHECK ((state = '99') <= (state_text IS NOT NULL))
);
CREATE UNIQUE INDEX licence_current ON registry.licence (type, dataset_id, key) WHERE superseded_by IS NULL AND key IS NOT NULL;
CREATE UNIQUE INDEX licence_once ON registry.licence (type, dataset_id, key, version);
CREATE INDEX licence_by_row ON registry.licence (connector_id, row_id) WHERE superseded_by IS NULL;
CREATE INDEX licence_by_holder ON registry.licence (holder_code, holder_code_type, id);
CREATE INDEX licence_by_number ON registry.licence (number);
CREATE INDEX licence_by_type ON registry.licence (type, id);
CREATE INDEX licence_by_serial ON registry.licence (serial);
CREATE INDEX licence_by_key ON registry.licence (key_id);
CREATE INDEX licence_by_end ON registry.licence (type, valid_to) WHERE superseded_by IS NULL AND state IN ('01', '02');
COMMENT ON TABLE registry.licence IS 'E-licences 电子证照: one row per version, identified per GB/T 36904';
COMMENT ON COLUMN registry.licence.content_hash IS 'Digest of type version and content: the same content never makes a second version';
COMMENT ON COLUMN registry.licence.state IS '01 valid, 02 suspended, 03 withdrawn, 04 cancelled, 05 expired, 06 moved out, 07 revoked, 99 other';

CREATE TABLE registry.licence_event (
    licence_id bigint NOT NULL REFERENCES registry.licence,
    number int NOT NULL,
    at timestamptz NOT NULL,
    operation text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    text text,
    actor text NOT NULL,
    record_version bigint,
    PRIMARY KEY (licence_id, number)
);
COMMENT ON TABLE registry.licence_event IS 'What was done to a licence and by whom: 01 issue ... 10 transfer-out taken back; actor is a connector, a client or an operator';

CREATE TABLE registry.licence_form (
    licence_id bigint NOT NULL REFERENCES registry.licence,
    form text NOT NULL CHECK (form IN ('vc', 'jwt', 'sd_jwt', 'pdf', 'sm2')),
    body bytea NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES registry.signing_key,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (licence_id, form)
);
COMMENT ON TABLE registry.licence_form IS 'The signed forms, byte for byte as signed: vc at issue, the others when first asked for';

CREATE TABLE registry.licence_refusal (
    type text COLLATE "C" NOT NULL,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    record_version bigint NOT NULL,
    reasons jsonb NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (type, dataset_id, key)
);
COMMENT ON TABLE registry.licence_refusal IS 'Records that do not (or no longer) agree with their licence, and why; a row goes when the record is mended';

CREATE TABLE registry.licence_copy (
    id text COLLATE "C" PRIMARY KEY,
    licence_id bigint NOT NULL REFERENCES registry.licence,
    client_id text NOT NULL REFERENCES registry.client,
    requested_by text NOT NULL,
    cause text NOT NULL,
    created_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    status_group_id bigint NOT NULL REFERENCES registry.status_group,
    status_index int NOT NULL,
    credential bytea NOT NULL,
    pdf bytea NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES registry.signing_key,
    UNIQUE (status_group_id, status_index)
);
CREATE INDEX licence_copy_by_licence ON registry.licence_copy (licence_id, created_at);
COMMENT ON TABLE registry.licence_copy IS 'Annotated copies 加注件: for one use, with who asked, why and until when';

CREATE TABLE registry.issued_credential (
    id text PRIMARY KEY,
    client_id text NOT NULL REFERENCES registry.client,
    issuer_code text COLLATE "C" NOT NULL REFERENCES registry.issuer,
    request_digest bytea NOT NULL,
    status_group_id bigint NOT NULL REFERENCES registry.status_group,
    status_index int NOT NULL,
    body bytea NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES registry.signing_key,
    issued_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (status_group_id, status_index),
    UNIQUE (client_id, request_digest)
);
COMMENT ON TABLE registry.issued_credential IS 'Credentials that clients had signed through POST /credentials/issue';

CREATE TABLE registry.licence_use (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    client_id text NOT NULL REFERENCES registry.client,
    operation text NOT NULL,
    licence_id bigint REFERENCES registry.licence,
    reply smallint NOT NULL,
    cause text NOT NULL,
    trace_id text NOT NULL
);
CREATE INDEX licence_use_by_licence ON registry.licence_use (licence_id, at);
COMMENT ON TABLE registry.licence_use IS 'Who asked for a licence through the sharing service of GB/T 36906, and to what end 用证事由';
COMMENT ON COLUMN registry.licence_use.licence_id IS 'NULL: the request found none';
"""


def upgrade() -> None:
    """Tables of e-licences."""
    op.execute(SQL)
