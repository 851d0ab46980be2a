"""Which ring of keys the personal values of this registry are sealed with, so that no other one is taken for it."""

from alembic import op

revision = "0011"
down_revision = "0010"

SQL = """
CREATE TABLE registry.personal_ring (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    mark uuid NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE registry.personal_ring IS 'The ring of keys that personal values here are sealed with: one row, made by the first process that seals';
COMMENT ON COLUMN registry.personal_ring.mark IS 'A digest under a key of the ring that never changes: tells one ring from another, and nothing of its keys';
COMMENT ON COLUMN registry.personal_ring.since IS 'When it was first used here';
"""


def upgrade() -> None:
    """The table; the row comes with the first value that is sealed."""
    op.execute(SQL)
