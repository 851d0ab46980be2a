"""The records of many enterprises for evaluation: only the fields that the card looks at, and the marks beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
import psycopg
from psycopg import sql

from registry.credit.enterprise_file import china_day, end_of, read_records
from registry.domain.credit.evaluation import NO_MARKS, Evaluator, RecordMarks, RecordToScore

Marks = Mapping[tuple[str, str], RecordMarks]
"""By dataset and key."""


@dataclass(frozen=True, slots=True)
class Between:
    """Entities after one, up to and with another."""

    after: str
    last: str

    def condition(self, column: sql.Identifier) -> sql.Composable:
        """As SQL."""
        return sql.SQL("{0} > {1} AND {0} <= {2}").format(column, sql.Placeholder("after"), sql.Placeholder("last"))

    @property
    def values(self) -> dict[str, Any]:
        """For the placeholders."""
        return {"after": self.after, "last": self.last}


@dataclass(frozen=True, slots=True)
class Named:
    """Some entities."""

    entities: Sequence[str]

    def condition(self, column: sql.Identifier) -> sql.Composable:
        """As SQL."""
        return sql.SQL("{} = ANY({})").format(column, sql.Placeholder("entities"))

    @property
    def values(self) -> dict[str, Any]:
        """For the placeholders."""
        return {"entities": list(self.entities)}


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads records for one card from one registry."""

    connection: psycopg.Connection
    evaluator: Evaluator
    ids: Mapping[str, int]
    """The card's datasets that are in the registry."""
    _bodies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, connection: psycopg.Connection, evaluator: Evaluator) -> RecordReader:
        """For the registry as it is now."""
        rows = connection.execute(
            "SELECT name, id FROM registry.dataset WHERE name = ANY(%s)", (list(evaluator.card.datasets),)
        ).fetchall()
        return cls(connection, evaluator, dict(rows))

    def enterprises(self, after: str, until: str | None, limit: int) -> list[str]:
        """The next enterprises in order."""
        dataset_id = self.ids.get(self.evaluator.card.enterprises)
        if dataset_id is None:
            return []
        rows = self.connection.execute(
            "SELECT DISTINCT entity FROM registry.record WHERE dataset_id = %s AND entity > %s"
            " AND (%s::text IS NULL OR entity <= %s) ORDER BY entity LIMIT %s",
            (dataset_id, after, until, until, limit),
        ).fetchall()
        return [entity for (entity,) in rows]

    def by_entity(self, which: Between | Named) -> dict[str, list[RecordToScore]]:
        """The records of each enterprise; those without a registration are left out."""
        card = self.evaluator.card
        marks = self._marks(which)
        found: dict[str, list[RecordToScore]] = {}
        if card.enterprises not in self.ids:
            return found
        for dataset in (card.enterprises, *(name for name in card.datasets if name != card.enterprises)):
            for entity, key, version, text in self._rows(dataset, which):
                mine = found.get(entity)
                if mine is None:
                    if dataset != card.enterprises:
                        continue
                    mine = found[entity] = []
                mine.append(
                    RecordToScore(dataset, key, version, self._body(dataset, text), marks.get((dataset, key), NO_MARKS))
                )
        return found

    def _rows(self, dataset: str, which: Between | Named) -> Iterable[tuple[str, str, int, str]]:
        """Entity, key, version and the fields that count, as JSON; also of records matched to an enterprise."""
        if dataset not in self.ids:
            return []
        fields = sql.SQL(", ").join(
            sql.SQL("{}, r.body->{}").format(sql.Literal(name), sql.Literal(name))
            for name in sorted(self.evaluator.card.fields(dataset, self.evaluator.rules.records))
        )
        query = sql.SQL(
            """
            SELECT r.entity, r.key, r.version, jsonb_build_object({fields})::text
            FROM registry.record r WHERE r.dataset_id = %(dataset)s AND {mine}
            UNION ALL
            SELECT m.entity, r.key, r.version, jsonb_build_object({fields})::text
            FROM registry.entity_match m JOIN registry.record r ON r.dataset_id = m.dataset_id AND r.key = m.key
            WHERE m.dataset_id = %(dataset)s AND m.state = 'accepted' AND r.entity IS NULL AND {matched}
            """
        ).format(
            fields=fields,
            mine=which.condition(sql.Identifier("r", "entity")),
            matched=which.condition(sql.Identifier("m", "entity")),
        )
        return self.connection.execute(query, {"dataset": self.ids[dataset], **which.values}).fetchall()

    def _body(self, dataset: str, text: str) -> dict[str, Any]:
        """Parsed once where many records say the same."""
        known = self._bodies.setdefault(dataset, {})
        body = known.get(text)
        if body is None:
            if len(known) >= _MOST_BODIES:
                known.clear()
            body = known[text] = orjson.loads(text)
        return body

    def _marks(self, which: Between | Named) -> Marks:
        names = {number: name for name, number in self.ids.items()}
        query = sql.SQL(
            "SELECT dataset_id, key, repaired_at, withdrawn_at, disputed_since FROM registry.credit_mark WHERE {}"
        ).format(which.condition(sql.Identifier("entity")))
        return {
            (names[dataset_id], key): RecordMarks(_day(repaired), _day(withdrawn), _day(disputed))
            for dataset_id, key, repaired, withdrawn, disputed in self.connection.execute(query, which.values)
            if dataset_id in names
        }


_MOST_BODIES = 20_000


def records_as_of(connection: psycopg.Connection, evaluator: Evaluator, entity: str, day: date) -> list[RecordToScore]:
    """The records of one enterprise as the registry held them in the evening of a day; empty: it was not registered."""
    card, at = evaluator.card, end_of(day)
    records = read_records(connection, [entity], card.datasets, at=at)[entity]
    if not any(record.dataset == card.enterprises for record in records):
        return []
    marks = _marks_as_of(connection, entity, at)
    return [
        RecordToScore(
            record.dataset, record.key, record.version, record.body, marks.get((record.dataset, record.key), NO_MARKS)
        )
        for record in records
    ]


def _marks_as_of(connection: psycopg.Connection, entity: str, at: datetime) -> Marks:
    """Repairs and withdrawals say themselves when they came; what was disputed then, the cases of that time say."""
    found: dict[tuple[str, str], RecordMarks] = {}
    for dataset, key, repaired, withdrawn, disputed in connection.execute(
        """
        SELECT d.name, m.key, max(repaired_at), max(withdrawn_at), min(disputed_since)
        FROM (
            SELECT dataset_id, key, repaired_at, withdrawn_at, disputed_since FROM registry.credit_mark
            WHERE entity = %(entity)s
            UNION ALL
            SELECT dataset_id, key, NULL, NULL, filed_at FROM registry.credit_case
            WHERE entity = %(entity)s AND kind = 'objection' AND decided_at > %(at)s
        ) m JOIN registry.dataset d ON d.id = m.dataset_id
        GROUP BY 1, 2
        """,
        {"entity": entity, "at": at},
    ):
        found[dataset, key] = RecordMarks(
            *(
                _day(moment if moment is not None and moment <= at else None)
                for moment in (repaired, withdrawn, disputed)
            )
        )
    return found


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else china_day(moment)
