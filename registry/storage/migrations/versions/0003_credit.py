"""Public credit data: old identifiers, candidate matches, discrepancies, findings, evaluations, cases, consents.

docs/registry-schema.md explains the tables for readers of the database.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

ENTERPRISE_FILE = """
CREATE TABLE registry.entity_identifier (
    kind text NOT NULL CHECK (kind IN ('registration_number', 'organisation_code', 'taxpayer_number', 'entity_code')),
    value text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (kind, value, entity, dataset_id, key)
);
CREATE INDEX entity_identifier_by_record ON registry.entity_identifier (dataset_id, key);
COMMENT ON TABLE registry.entity_identifier IS 'Old identifiers of an enterprise and the records that say so: the way from them to its unified social credit code';

CREATE TABLE registry.entity_name (
    entity text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    core text COLLATE "C" NOT NULL,
    front text COLLATE "C" NOT NULL,
    address text COLLATE "C",
    person uuid,
    former boolean NOT NULL,
    PRIMARY KEY (entity, name)
);
CREATE INDEX entity_name_by_name ON registry.entity_name (name);
CREATE INDEX entity_name_by_core ON registry.entity_name (core);
CREATE INDEX entity_name_by_front ON registry.entity_name (front);
CREATE INDEX entity_name_by_address ON registry.entity_name (address) WHERE address IS NOT NULL;
CREATE INDEX entity_name_by_person ON registry.entity_name (person) WHERE person IS NOT NULL;
COMMENT ON TABLE registry.entity_name IS 'Present and former names of enterprises, normalised, by which records without a code are looked for';

CREATE TABLE registry.record_without_code (
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    core text COLLATE "C",
    front text COLLATE "C",
    address text COLLATE "C",
    person uuid,
    identifiers text[] NOT NULL,
    subject uuid NOT NULL,
    PRIMARY KEY (dataset_id, key)
);
CREATE INDEX record_without_code_by_identifier ON registry.record_without_code USING gin (identifiers);
CREATE INDEX record_without_code_by_name ON registry.record_without_code (name) WHERE name IS NOT NULL;
CREATE INDEX record_without_code_by_core ON registry.record_without_code (core) WHERE core IS NOT NULL;
CREATE INDEX record_without_code_by_front ON registry.record_without_code (front) WHERE front IS NOT NULL;
CREATE INDEX record_without_code_by_address ON registry.record_without_code (address) WHERE address IS NOT NULL;
CREATE INDEX record_without_code_by_person ON registry.record_without_code (person) WHERE person IS NOT NULL;
COMMENT ON TABLE registry.record_without_code IS 'Records about an enterprise that carry no unified social credit code';

CREATE TABLE registry.entity_match (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    score real NOT NULL,
    features jsonb NOT NULL,
    subject uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('candidate', 'accepted', 'rejected', 'undone', 'lapsed')),
    decided_by text,
    decided_at timestamptz,
    reason text,
    found_at timestamptz NOT NULL,
    accepted_at timestamptz,
    ended_at timestamptz,
    CHECK ((state = 'accepted') <= (accepted_at IS NOT NULL AND ended_at IS NULL))
);
CREATE INDEX entity_match_by_record ON registry.entity_match (dataset_id, key);
CREATE UNIQUE INDEX entity_match_accepted ON registry.entity_match (dataset_id, key) WHERE state = 'accepted';
CREATE UNIQUE INDEX entity_match_open ON registry.entity_match (dataset_id, key, entity) WHERE state IN ('candidate', 'accepted');
CREATE INDEX entity_match_by_entity ON registry.entity_match (entity);
COMMENT ON TABLE registry.entity_match IS 'Records without a code that may belong to an enterprise; accepted by a rule or a person only, and reversible';
COMMENT ON COLUMN registry.entity_match.subject IS 'Digest of what the record said of whom it is about: another one, and the decision no longer holds';

CREATE TABLE registry.entity_match_decision (
    match_id bigint NOT NULL REFERENCES registry.entity_match,
    number int NOT NULL,
    at timestamptz NOT NULL,
    decision text NOT NULL CHECK (decision IN ('accepted', 'rejected', 'undone', 'reopened')),
    decided_by text NOT NULL,
    reason text,
    PRIMARY KEY (match_id, number)
);
COMMENT ON TABLE registry.entity_match_decision IS 'Everything that was decided about a match, by whom and why, in order';

CREATE TABLE registry.discrepancy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity text COLLATE "C" NOT NULL,
    field text NOT NULL,
    department text NOT NULL,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    authoritative_department text NOT NULL,
    authoritative_dataset_id smallint NOT NULL REFERENCES registry.dataset,
    authoritative_key text COLLATE "C" NOT NULL,
    authoritative_value text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_because text CHECK (closed_because IN ('corrected', 'authority_changed', 'gone'))
);
CREATE UNIQUE INDEX discrepancy_open ON registry.discrepancy (entity, field, dataset_id, key) WHERE closed_at IS NULL;
CREATE INDEX discrepancy_by_department ON registry.discrepancy (department, id);
COMMENT ON TABLE registry.discrepancy IS 'Where a department says something else of an enterprise than the one that is authoritative; closes by itself';

CREATE TABLE registry.credit_finding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    department text NOT NULL,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    entity text COLLATE "C",
    detail jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz
);
CREATE UNIQUE INDEX credit_finding_open ON registry.credit_finding (kind, dataset_id, key) WHERE closed_at IS NULL;
CREATE INDEX credit_finding_by_department ON registry.credit_finding (department, id);
COMMENT ON TABLE registry.credit_finding IS 'Permits and penalties that came late, whose amounts do not agree with their text, that should have been withdrawn';

CREATE TABLE registry.credit_due (
    kind text NOT NULL,
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    due_on date NOT NULL,
    PRIMARY KEY (kind, dataset_id, key)
);
CREATE INDEX credit_due_by_day ON registry.credit_due (due_on);
COMMENT ON TABLE registry.credit_due IS 'Records that become a finding when a day has passed, without any change of their own';

CREATE TABLE registry.credit_change (
    xid xid8 NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL
);
CREATE INDEX credit_change_in_order ON registry.credit_change (xid, seq);
COMMENT ON TABLE registry.credit_change IS 'Records that mean something else now for public credit data although they did not change: matched, repaired, disputed; followed together with registry.change';

CREATE TABLE registry.follower (
    name text COLLATE "C" PRIMARY KEY,
    followed_xid xid8 NOT NULL,
    followed_seq bigint NOT NULL,
    first_load jsonb NOT NULL,
    followed_at timestamptz
);
COMMENT ON TABLE registry.follower IS 'How far each service of public credit data has followed the change feed; moves in its own transactions only';
"""

EVALUATION = """
CREATE TABLE registry.evaluation (
    scorecard text COLLATE "C" NOT NULL,
    version int NOT NULL,
    entity text COLLATE "C" NOT NULL,
    day date NOT NULL,
    score int NOT NULL,
    grade text COLLATE "C" NOT NULL,
    factors jsonb NOT NULL,
    input_digest uuid NOT NULL,
    changes_on date,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (scorecard, version, entity)
);
CREATE INDEX evaluation_by_grade ON registry.evaluation (scorecard, version, grade);
CREATE INDEX evaluation_due ON registry.evaluation (scorecard, version, changes_on) WHERE changes_on IS NOT NULL;
COMMENT ON TABLE registry.evaluation IS 'The current evaluation of each enterprise by each card in use; any past day is computed anew from history';
COMMENT ON COLUMN registry.evaluation.changes_on IS 'The next day on which the same records would give another evaluation: a term ends, a record grows old';

CREATE TABLE registry.evaluation_card (
    scorecard text COLLATE "C" NOT NULL,
    version int NOT NULL,
    digest text NOT NULL,
    begun_at timestamptz NOT NULL,
    complete_at timestamptz,
    touched_xid xid8 NOT NULL,
    touched_seq bigint NOT NULL,
    PRIMARY KEY (scorecard, version)
);
COMMENT ON TABLE registry.evaluation_card IS 'The cards by which enterprises are evaluated, and with which rules';

CREATE TABLE registry.evaluation_part (
    scorecard text COLLATE "C" NOT NULL,
    version int NOT NULL,
    part int NOT NULL,
    after text COLLATE "C" NOT NULL,
    until text COLLATE "C",
    done boolean NOT NULL,
    PRIMARY KEY (scorecard, version, part),
    FOREIGN KEY (scorecard, version) REFERENCES registry.evaluation_card ON DELETE CASCADE
);
COMMENT ON TABLE registry.evaluation_part IS 'How far the first evaluation of all enterprises has come, in parts that several processes share';

CREATE TABLE registry.evaluation_touch (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    entity text COLLATE "C" NOT NULL,
    PRIMARY KEY (xid, seq)
);
COMMENT ON TABLE registry.evaluation_touch IS 'Enterprises for which something beside their records changed: marks of records, matches; read like the change feed';
"""

# After the tables that they watch. A trigger, because a mark or a match changes an evaluation whoever makes it.
EVALUATION_TOUCHES = """
CREATE FUNCTION registry.touch_evaluation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO registry.evaluation_touch (entity) VALUES (OLD.entity);
    END IF;
    IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR NEW.entity <> OLD.entity) THEN
        INSERT INTO registry.evaluation_touch (entity) VALUES (NEW.entity);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER credit_mark_evaluated AFTER INSERT OR UPDATE OR DELETE ON registry.credit_mark
    FOR EACH ROW EXECUTE FUNCTION registry.touch_evaluation();
CREATE TRIGGER entity_match_evaluated AFTER INSERT ON registry.entity_match
    FOR EACH ROW WHEN (NEW.state = 'accepted') EXECUTE FUNCTION registry.touch_evaluation();
CREATE TRIGGER entity_match_state_evaluated AFTER UPDATE ON registry.entity_match
    FOR EACH ROW WHEN (NEW.state <> OLD.state AND 'accepted' IN (NEW.state, OLD.state))
    EXECUTE FUNCTION registry.touch_evaluation();
"""

CASES = """
CREATE TABLE registry.credit_case (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('repair', 'objection')),
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    record_version bigint NOT NULL,
    entity text COLLATE "C" NOT NULL,
    department text NOT NULL,
    place text NOT NULL,
    rules text NOT NULL,
    state text NOT NULL CHECK (state IN ('filed', 'accepted', 'forwarded', 'declined', 'granted', 'refused', 'withdrawn')),
    filed_by text NOT NULL,
    applicant text NOT NULL,
    statement text NOT NULL,
    evidence jsonb NOT NULL DEFAULT '[]',
    request_digest bytea NOT NULL UNIQUE,
    filed_at timestamptz NOT NULL,
    accepted_at timestamptz,
    forwarded_at timestamptz,
    extended_at timestamptz,
    due_on date,
    due_step text CHECK (due_step IN ('accept', 'forward', 'decide', 'decide_forwarded')),
    due_assumed boolean NOT NULL DEFAULT false,
    overdue_noted_at timestamptz,
    decided_at timestamptz,
    decided_by text,
    decision text,
    remedy text CHECK (remedy IN ('correct', 'withdraw')),
    CHECK ((decided_at IS NULL) = (state IN ('filed', 'accepted', 'forwarded'))),
    CHECK ((due_on IS NULL) = (decided_at IS NOT NULL))
);
CREATE UNIQUE INDEX credit_case_open ON registry.credit_case (kind, dataset_id, key) WHERE decided_at IS NULL;
CREATE INDEX credit_case_by_entity ON registry.credit_case (entity, id);
CREATE INDEX credit_case_by_department ON registry.credit_case (department, id);
CREATE INDEX credit_case_due ON registry.credit_case (due_on) WHERE decided_at IS NULL AND overdue_noted_at IS NULL;
CREATE INDEX credit_case_by_record ON registry.credit_case (dataset_id, key);
COMMENT ON TABLE registry.credit_case IS 'Applications for credit repair 信用修复 and objections 异议';

CREATE TABLE registry.credit_case_event (
    case_id bigint NOT NULL REFERENCES registry.credit_case,
    number int NOT NULL,
    at timestamptz NOT NULL,
    action text NOT NULL,
    role text NOT NULL CHECK (role IN ('applicant', 'hub', 'department')),
    actor text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    text text,
    PRIMARY KEY (case_id, number)
);
COMMENT ON TABLE registry.credit_case_event IS 'Everything that happened to a case, in order';

CREATE TABLE registry.credit_mark (
    dataset_id smallint NOT NULL REFERENCES registry.dataset,
    key text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    disputed_since timestamptz,
    repaired_at timestamptz,
    withdrawn_at timestamptz,
    case_id bigint REFERENCES registry.credit_case,
    PRIMARY KEY (dataset_id, key),
    CHECK (disputed_since IS NOT NULL OR repaired_at IS NOT NULL OR withdrawn_at IS NOT NULL)
);
CREATE INDEX credit_mark_by_entity ON registry.credit_mark (entity);
COMMENT ON TABLE registry.credit_mark IS 'What stands beside a record wherever it is shown: disputed, repaired, withdrawn';

CREATE TABLE registry.consent (
    id text COLLATE "C" PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    entity text COLLATE "C" NOT NULL,
    grantee text NOT NULL REFERENCES registry.client,
    purpose text NOT NULL,
    items text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    evidence_digest bytea NOT NULL,
    given_by text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    CHECK (valid_until > valid_from),
    CHECK (octet_length(evidence_digest) = 32)
);
CREATE UNIQUE INDEX consent_by_evidence ON registry.consent (entity, grantee, evidence_digest);
CREATE INDEX consent_by_entity ON registry.consent (entity, grantee);
CREATE INDEX consent_by_grantee ON registry.consent (grantee, number);
COMMENT ON TABLE registry.consent IS 'Consent of an enterprise 授权: who may read which items, for what, until when';

CREATE TABLE registry.consent_use (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consent_id text COLLATE "C" NOT NULL REFERENCES registry.consent,
    at timestamptz NOT NULL DEFAULT now(),
    client_id text NOT NULL,
    items text[] NOT NULL,
    answer text,
    case_number text
);
CREATE INDEX consent_use_by_consent ON registry.consent_use (consent_id, id);
COMMENT ON TABLE registry.consent_use IS 'Every use of a consent';
"""

REPORTS = """
CREATE TABLE registry.credit_report (
    number text COLLATE "C" PRIMARY KEY,
    entity text COLLATE "C" NOT NULL,
    reader text NOT NULL,
    datasets text[],
    day date NOT NULL,
    issued_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    records jsonb NOT NULL,
    UNIQUE (entity, reader, day, asked_by, content_digest)
);
COMMENT ON TABLE registry.credit_report IS 'Credit reports issued 公共信用信息报告: their numbers, whose and for whom, and what they stood on';
"""


def upgrade() -> None:
    """Tables of public credit data."""
    for part in (ENTERPRISE_FILE, EVALUATION, CASES, EVALUATION_TOUCHES, REPORTS):
        op.execute(part)
