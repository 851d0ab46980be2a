"""Grants: what each client may read of each dataset, under which terms, and how much it did.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

GRANTS = """
CREATE TABLE registry.access_grant (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL REFERENCES registry.client,
    dataset text COLLATE "C" NOT NULL,
    version int NOT NULL CHECK (version > 0),
    schema text NOT NULL,
    fields text[] COLLATE "C" CHECK (fields <> '{}'),
    purposes text[] COLLATE "C" NOT NULL DEFAULT '{}',
    case_number boolean NOT NULL DEFAULT false,
    rows jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rows) = 'object'),
    valid_from timestamptz NOT NULL DEFAULT now(),
    valid_until timestamptz NOT NULL CHECK (valid_until > valid_from),
    daily_quota bigint CHECK (daily_quota > 0),
    legal_basis text NOT NULL DEFAULT '',
    approval text NOT NULL DEFAULT '',
    given_by text NOT NULL,
    ended_at timestamptz,
    ended_by text,
    ended_because text CHECK (ended_because IN ('changed', 'revoked')),
    ended_reason text,
    UNIQUE (client_id, dataset, version),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX access_grant_standing ON registry.access_grant (client_id, dataset) WHERE ended_at IS NULL;
COMMENT ON TABLE registry.access_grant IS 'What lets a client read a dataset 授权; a changed grant is a new version, the old one stays';

CREATE TABLE registry.dataset_schema (
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    schema text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (dataset_id, schema)
);
COMMENT ON TABLE registry.dataset_schema IS 'Since when the records of a dataset are of a version of its schema: what was before is deprecated since then';
INSERT INTO registry.dataset_schema (dataset_id, schema, since) SELECT id, schema, registered_at FROM registry.dataset;
CREATE FUNCTION registry.note_dataset_schema() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.dataset_schema (dataset_id, schema, since) VALUES (NEW.id, NEW.schema, clock_timestamp())
    ON CONFLICT (dataset_id, schema) DO UPDATE SET since = excluded.since;
    RETURN NULL;
END $$;
CREATE TRIGGER dataset_schema_noted AFTER INSERT OR UPDATE OF schema ON registry.dataset
    FOR EACH ROW EXECUTE FUNCTION registry.note_dataset_schema();

CREATE TABLE registry.access_grant_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL REFERENCES registry.client,
    dataset text COLLATE "C" NOT NULL,
    sharing text NOT NULL,
    department text NOT NULL,
    fields text[] COLLATE "C",
    purposes text[] COLLATE "C" NOT NULL,
    case_number boolean NOT NULL,
    rows jsonb NOT NULL,
    valid_until timestamptz,
    daily_quota bigint,
    legal_basis text NOT NULL,
    statement text NOT NULL CHECK (statement <> ''),
    rules text NOT NULL,
    filed_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('filed', 'checked', 'approved', 'refused', 'returned', 'withdrawn')),
    due_on date,
    due_assumed boolean NOT NULL DEFAULT false,
    grant_id bigint REFERENCES registry.access_grant,
    CHECK ((due_on IS NULL) = (state NOT IN ('filed', 'checked'))),
    CHECK ((grant_id IS NULL) = (state <> 'approved'))
);
CREATE INDEX access_grant_request_by_client ON registry.access_grant_request (client_id, id);
CREATE INDEX access_grant_request_open ON registry.access_grant_request (department, due_on) WHERE due_on IS NOT NULL;
COMMENT ON TABLE registry.access_grant_request IS 'What clients ask to read 共享申请, and how far that is; what happened is in access_grant_event';

CREATE TABLE registry.access_grant_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES registry.access_grant_request,
    at timestamptz NOT NULL,
    action text NOT NULL,
    state text NOT NULL,
    by text NOT NULL,
    reason text
);
CREATE INDEX access_grant_event_by_request ON registry.access_grant_event (request_id, id);
COMMENT ON TABLE registry.access_grant_event IS 'What happened to requests for grants, append-only';

CREATE TABLE registry.access_grant_use (
    grant_id bigint NOT NULL REFERENCES registry.access_grant,
    day date NOT NULL,
    uses bigint NOT NULL CHECK (uses >= 0),
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (grant_id, day)
) WITH (fillfactor = 50);
COMMENT ON TABLE registry.access_grant_use IS 'How often a grant was used on each day of China Standard Time; written with the access log';
"""

# A grant's terms never change and no grant goes away: it ends once, and that is all that is ever written to it.
FENCE = """
CREATE FUNCTION registry.fence_access_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
        OR to_jsonb(OLD) - '{ended_at,ended_by,ended_because,ended_reason}'::text[]
            <> to_jsonb(NEW) - '{ended_at,ended_by,ended_because,ended_reason}'::text[]
    THEN
        RAISE EXCEPTION 'registry.access_grant is append-only: a grant ends once, a change is a new version'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION registry.fence_access_grant_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.due_on IS NULL
        OR to_jsonb(OLD) - '{state,due_on,due_assumed,grant_id}'::text[]
            <> to_jsonb(NEW) - '{state,due_on,due_assumed,grant_id}'::text[]
    THEN
        RAISE EXCEPTION 'registry.access_grant_request is append-only: what was asked for stays, what is decided is decided'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_grant_request_append_only BEFORE UPDATE OR DELETE ON registry.access_grant_request
    FOR EACH ROW EXECUTE FUNCTION registry.fence_access_grant_request();
CREATE TRIGGER access_grant_request_not_emptied BEFORE TRUNCATE ON registry.access_grant_request
    FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_rewriting();
CREATE TRIGGER access_grant_event_append_only BEFORE UPDATE OR DELETE ON registry.access_grant_event
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_rewriting();
CREATE TRIGGER access_grant_event_not_emptied BEFORE TRUNCATE ON registry.access_grant_event
    FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_rewriting();
CREATE TRIGGER access_grant_append_only BEFORE UPDATE OR DELETE ON registry.access_grant
    FOR EACH ROW EXECUTE FUNCTION registry.fence_access_grant();
CREATE TRIGGER access_grant_not_emptied BEFORE TRUNCATE ON registry.access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION registry.refuse_rewriting();
"""

# Clients read by scope until now: what they may read becomes grants of one year, for every field as it stands,
# personal ones masked. Their tokens name read:<dataset> as before.
TAKEN_OVER = """
INSERT INTO registry.access_grant (client_id, dataset, version, schema, valid_until, legal_basis, given_by)
SELECT c.id, d.name, 1, d.schema, now() + interval '1 year', 'taken over from the scopes that the client had', 'migration 0005'
FROM registry.client c JOIN registry.dataset d ON 'read:*' = ANY (c.scopes) OR 'read:' || d.name = ANY (c.scopes)
WHERE c.revoked_at IS NULL;
UPDATE registry.client SET scopes = ARRAY(SELECT s FROM unnest(scopes) s WHERE s NOT LIKE 'read:%' ORDER BY s COLLATE "C");
COMMENT ON TABLE registry.client IS 'Downstream systems; scopes are their roles, what they read of datasets is in access_grant';
"""


def upgrade() -> None:
    """Tables of grants, and the grants that take the place of scopes."""
    op.execute(GRANTS)
    op.execute(FENCE)
    op.execute(TAKEN_OVER)
