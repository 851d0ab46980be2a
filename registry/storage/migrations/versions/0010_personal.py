"""Personal values sealed at rest: the sealed values and their blind index beside records, and beside refused rows.

What lies there from before is in the clear until ``shuqiao keys personal reencrypt`` has sealed it.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

SQL = """
ALTER TABLE registry.record ADD COLUMN personal bytea, ADD COLUMN blind uuid[];
ALTER TABLE registry.record_history ADD COLUMN personal bytea, ADD COLUMN blind uuid[];
CREATE INDEX record_by_blind ON registry.record USING gin (blind) WHERE blind IS NOT NULL;
COMMENT ON COLUMN registry.record.body IS 'The record as JSON; personal values masked, where they are sealed beside it';
COMMENT ON COLUMN registry.record.personal IS 'The personal values of the body, sealed (AES-256-GCM) with a key that is not in the database; NULL: it has none';
COMMENT ON COLUMN registry.record.blind IS 'Keyed digests of values that the record can be looked for by exactly; NULL: none';
COMMENT ON COLUMN registry.record.hash IS 'Digest of the canonical JSON body, keyed where personal values are sealed: equal hashes write nothing';

ALTER TABLE registry.staged_refusal ADD COLUMN personal bytea;
ALTER TABLE registry.refusal ADD COLUMN personal bytea;
COMMENT ON COLUMN registry.refusal.raw IS 'The row as it was sent; masked, where it is sealed beside it';
COMMENT ON COLUMN registry.refusal.personal IS 'The row as it was sent, sealed; NULL: its dataset has no personal fields';

ALTER TABLE registry.discrepancy ADD COLUMN personal bytea;
COMMENT ON COLUMN registry.discrepancy.personal IS 'Both values, sealed, where the field is personal: then they are masked in their columns';

ALTER TABLE registry.licence ADD COLUMN personal bytea;
COMMENT ON COLUMN registry.licence.content IS 'What the licence says, as JSON; personal values masked, where it is sealed beside it';
COMMENT ON COLUMN registry.licence.personal IS 'The content, sealed, where licences of the type can tell of a natural person';
COMMENT ON COLUMN registry.licence.holder_code IS 'Code of the first holder; of a natural person its keyed digest, after blind:';
COMMENT ON COLUMN registry.licence.holder_name IS 'Name of the first holder; of a natural person masked';
COMMENT ON COLUMN registry.licence_form.body IS 'As signed; sealed as a whole where licences of the type can tell of a natural person (then it begins with the byte 3)';
COMMENT ON COLUMN registry.licence_copy.credential IS 'As signed; sealed as a whole like registry.licence_form.body';
COMMENT ON COLUMN registry.licence_copy.pdf IS 'As signed; sealed as a whole like registry.licence_form.body';
"""


def upgrade() -> None:
    """Columns for what is sealed."""
    op.execute(SQL)
