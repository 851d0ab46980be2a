"""What the hub keeps of enterprises beside their records, brought up to the registry by following its changes.

One follower keeps the cross-walk of old identifiers, discrepancies, matches and findings: for the records and the
enterprises touched by the next changes, in one transaction each. The enterprise's file itself is merged when it is
read: there is nothing to keep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import orjson
import psycopg
from psycopg.types.json import set_json_loads

from registry.credit import discrepancies, findings, following, identifiers, matching, names
from registry.credit.enterprise_file import china_day
from registry.credit.following import FollowReport, RecordKey
from registry.domain.credit.sources import SourceEditions, Sources, default_sources

FOLLOWER = "enterprise_file"


def follow(
    connection: psycopg.Connection, *, now: datetime, editions: SourceEditions | None = None, wait: float = 0.0
) -> FollowReport:
    """Bring everything up to what the registry holds. Doing it again does nothing; two at once take turns.

    ``now``: opened and closed are dated with it. ``wait``: see :func:`registry.credit.following.follow`.
    """
    sources = (editions or default_sources()).on(china_day(now))
    set_json_loads(orjson.loads, connection)

    def look(connection: psycopg.Connection, records: Sequence[RecordKey]) -> Counter[str]:
        return _look(connection, records, sources, now)

    report = following.follow(connection, FOLLOWER, sources.datasets, look, wait=wait)
    report.counts.update(findings.enter_due(connection, sources, now=now))
    return report


def _look(
    connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources, now: datetime
) -> Counter[str]:
    entities = following.entities_of(connection, records)
    counted = Counter(identifiers_changed=identifiers.keep(connection, records, sources, now=now))
    counted.update(discrepancies.keep(connection, entities, sources, now=now))
    counted.update(findings.keep(connection, records, sources, now=now))
    to_match = names.keep_records(connection, records, sources)
    to_match += names.keep_enterprises(connection, _registered(connection, records, sources), sources)
    to_match += names.stating_identifiers(connection, entities)
    to_match += matching.concerning(connection, entities)
    counted.update(matching.keep(connection, to_match, sources, now=now))
    return counted


def _registered(connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources) -> list[str]:
    """The enterprises whose own registration is among some records."""
    row = connection.execute("SELECT id FROM registry.dataset WHERE name = %s", (sources.entity_dataset,)).fetchone()
    own = [record for record in records if row is not None and record.dataset_id == row[0]]
    return following.entities_of(connection, own) if own else []
