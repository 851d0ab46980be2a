"""Names of enterprises and of records without a code, kept so that either side finds the other by its name.

An enterprise is found by the same name, by the same core (without region and ending), by the first half of the core, by
its address, by its representative and division together, or by an old identifier; what is found is then compared whole
(:mod:`registry.domain.credit.matching`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import LiteralString
from uuid import UUID

import psycopg
from rapidfuzz import fuzz

from registry.credit.following import RecordKey, columns
from registry.domain.credit import matching as rules
from registry.domain.credit.matching import Enterprise, NameParts, Subject, local_address, name_parts
from registry.domain.credit.sources import Matching, Sources
from registry.sealing import key_file
from registry.sealing.records import opened, plain_digest

MOST_OF_A_BLOCK = 1000
"""Enterprises looked at for one key of a record: those of more common keys are found by another one, or not at all."""
_LEAST_RATIO = 60
"""Cores less alike than this (0 to 100) cannot become candidates: they are not read."""
_SHORTEST_ADDRESS = 6
"""An address without at least so many characters names no place."""


_COLUMNS = ("entity", "name", "core", "front", "address", "person", "former")
_NOW: LiteralString = """
WITH name_now AS MATERIALIZED (
    SELECT * FROM unnest(%(entity)s::text[], %(name)s::text[], %(core)s::text[], %(front)s::text[],
        %(address)s::text[], %(person)s::uuid[], %(former)s::boolean[])
        AS n(entity, name, core, front, address, person, former))
"""
_CONCERNED: LiteralString = (
    _NOW
    + """
, before AS (SELECT * FROM registry.entity_name WHERE entity = ANY(%(entities)s)),
differing AS MATERIALIZED (
    (SELECT * FROM before EXCEPT SELECT * FROM name_now) UNION (SELECT * FROM name_now EXCEPT SELECT * FROM before))
SELECT w.dataset_id, w.key FROM registry.record_without_code w JOIN differing d ON w.name = d.name
UNION SELECT w.dataset_id, w.key FROM registry.record_without_code w JOIN differing d ON w.core = d.core
UNION SELECT w.dataset_id, w.key FROM registry.record_without_code w JOIN differing d ON w.front = d.front
UNION SELECT w.dataset_id, w.key FROM registry.record_without_code w JOIN differing d ON w.address = d.address
UNION SELECT w.dataset_id, w.key FROM registry.record_without_code w JOIN differing d ON w.person = d.person
"""
)
_NO_LONGER_NAMED: LiteralString = (
    _NOW
    + """
DELETE FROM registry.entity_name e WHERE e.entity = ANY(%(entities)s)
  AND NOT EXISTS (SELECT FROM name_now n WHERE n.entity = e.entity AND n.name = e.name)
"""
)
_NAMED_NOW: LiteralString = (
    _NOW
    + """
INSERT INTO registry.entity_name AS e (entity, name, core, front, address, person, former) SELECT * FROM name_now
ON CONFLICT (entity, name) DO UPDATE SET core = excluded.core, front = excluded.front,
    address = excluded.address, person = excluded.person, former = excluded.former
WHERE (e.core, e.front, e.address, e.person, e.former)
    IS DISTINCT FROM (excluded.core, excluded.front, excluded.address, excluded.person, excluded.former)
"""
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """By what an enterprise is looked for."""

    name: str | None
    core: str | None
    front: str | None
    address: str | None
    person: UUID | None
    """Digest of representative and division: what one typing error in a name leaves as it is."""

    @classmethod
    def of(cls, subject: Subject, matching: Matching) -> Wanted:
        """What a record without a code gives."""
        parts = name_parts(subject.name, matching) if subject.name else None
        address, person = _address(subject.address), _person(subject.legal_representative, subject.division)
        if parts is None:
            return cls(None, None, None, address, None)
        return cls(parts.name, parts.core, parts.front, address, person)


@dataclass(frozen=True, slots=True)
class Alike:
    """The enterprises found for one record."""

    entities: frozenset[str]
    bearers: int
    """How many bear, or once bore, its name, or one that differs by region, brackets or ending only."""


def keep_enterprises(connection: psycopg.Connection, entities: Sequence[str], sources: Sources) -> list[RecordKey]:
    """Bring the names of some enterprises up to the registry; the records without a code that this may concern."""
    if not entities:
        return []
    wanted = sorted(_names(connection, entities, sources), key=lambda row: row[:2])
    columns_now = [list(column) for column in zip(*wanted, strict=True)] or [[]] * len(_COLUMNS)
    values = dict(zip(_COLUMNS, columns_now, strict=True))
    values["entities"] = list(entities)
    concerned = connection.execute(_CONCERNED, values).fetchall()
    connection.execute(_NO_LONGER_NAMED, values)
    connection.execute(_NAMED_NOW, values)
    return [RecordKey(*row) for row in concerned]


def keep_records(connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources) -> list[RecordKey]:
    """Bring the records without a code among some records up to the registry; those that are, or were, without one."""
    matching = sources.matching
    was = connection.execute(
        "DELETE FROM registry.record_without_code w USING unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)"
        " WHERE w.dataset_id = t.dataset_id AND w.key = t.key RETURNING w.dataset_id, w.key",
        columns(records),
    ).fetchall()
    found = []
    for dataset, dataset_id, key, body, personal in connection.execute(
        "SELECT d.name, r.dataset_id, r.key, r.body, r.personal"
        " FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)"
        " JOIN registry.record r USING (dataset_id, key) JOIN registry.dataset d ON d.id = r.dataset_id"
        " WHERE r.entity IS NULL AND d.name = ANY(%s)",
        (*columns(records), list(matching.rules)),
    ):
        subject = rules.subject(matching.rules[dataset], opened(body, personal, dataset_id, key))
        if subject is not None:
            by = Wanted.of(subject, matching)
            stated = [f"{kind}:{value}" for kind, value in sorted(subject.identifiers.items())]
            found.append(
                (dataset_id, key, by.name, by.core, by.front, by.address, by.person, stated, subject_digest(subject))
            )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO registry.record_without_code"
            " (dataset_id, key, name, core, front, address, person, identifiers, subject)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            found,
        )
    return sorted({RecordKey(*row) for row in was} | {RecordKey(*row[:2]) for row in found})


def stating_identifiers(connection: psycopg.Connection, entities: Sequence[str]) -> list[RecordKey]:
    """The records without a code that state an old identifier of one of some enterprises."""
    rows = connection.execute(
        "SELECT w.dataset_id, w.key FROM registry.record_without_code w WHERE w.identifiers && ("
        " SELECT coalesce(array_agg(DISTINCT i.kind || ':' || i.value), '{}')"
        " FROM registry.entity_identifier i WHERE i.entity = ANY(%s))",
        (list(entities),),
    )
    return [RecordKey(*row) for row in rows]


def named_alike(connection: psycopg.Connection, wanted: Sequence[Wanted], sources: Sources) -> list[Alike]:
    """For each record the enterprises that may be meant by its name or address."""
    del sources
    entities: list[set[str]] = [set() for _ in wanted]
    bearers: list[set[str]] = [set() for _ in wanted]
    for number, how, entity, core in connection.execute(
        """
        SELECT w.number, f.how, f.entity, f.core
        FROM unnest(%(names)s::text[], %(cores)s::text[], %(fronts)s::text[], %(addresses)s::text[],
            %(persons)s::uuid[]) WITH ORDINALITY AS w(name, core, front, address, person, number)
        CROSS JOIN LATERAL (
            (SELECT 'name' AS how, entity, core FROM registry.entity_name e WHERE e.name = w.name
             ORDER BY entity LIMIT %(most)s)
            UNION ALL
            (SELECT 'core', entity, core FROM registry.entity_name e WHERE e.core = w.core
             ORDER BY entity LIMIT %(most)s)
            UNION ALL
            (SELECT 'front', entity, core FROM registry.entity_name e WHERE e.front = w.front
             ORDER BY entity LIMIT %(most)s)
            UNION ALL
            (SELECT 'address', entity, core FROM registry.entity_name e WHERE e.address = w.address
             ORDER BY entity LIMIT %(most)s)
            UNION ALL
            (SELECT 'person', entity, core FROM registry.entity_name e WHERE e.person = w.person
             ORDER BY entity LIMIT %(most)s)
        ) f
        """,
        {
            "names": [each.name for each in wanted],
            "cores": [each.core for each in wanted],
            "fronts": [each.front for each in wanted],
            "addresses": [each.address for each in wanted],
            "persons": [each.person for each in wanted],
            "most": MOST_OF_A_BLOCK,
        },
    ):
        asked = wanted[number - 1].core
        if how in ("name", "core"):
            bearers[number - 1].add(entity)
        elif how in ("front", "person") and (asked is None or fuzz.ratio(asked, core, score_cutoff=_LEAST_RATIO) == 0):
            continue
        entities[number - 1].add(entity)
    return [Alike(frozenset(found), len(bearing)) for found, bearing in zip(entities, bearers, strict=True)]


def named_by_identifier(
    connection: psycopg.Connection, identifiers: Sequence[Mapping[str, str]], sources: Sources
) -> list[dict[str, dict[str, bool]]]:
    """For each record: kind of old identifier -> enterprises of it, and whether their own registration says so."""
    asked = sorted({pair for each in identifiers for pair in each.items()})
    found: dict[tuple[str, str], dict[str, bool]] = {pair: {} for pair in asked}
    if asked:
        for kind, value, entity, own in connection.execute(
            "SELECT i.kind, i.value, i.entity, bool_or(d.name = %s) FROM unnest(%s::text[], %s::text[])"
            " AS w(kind, value) JOIN registry.entity_identifier i USING (kind, value)"
            " JOIN registry.dataset d ON d.id = i.dataset_id GROUP BY 1, 2, 3",
            (sources.entity_dataset, [pair[0] for pair in asked], [pair[1] for pair in asked]),
        ):
            found[kind, value][entity] = own
    return [{kind: found[kind, value] for kind, value in each.items() if found[kind, value]} for each in identifiers]


def enterprises(connection: psycopg.Connection, entities: Sequence[str], sources: Sources) -> dict[str, Enterprise]:
    """What is known of some enterprises that are registered now, for comparison."""
    if not entities:
        return {}
    former: dict[str, list[str]] = {}
    for entity, name in connection.execute(
        "SELECT entity, name FROM registry.entity_name WHERE entity = ANY(%s) AND former", (list(entities),)
    ):
        former.setdefault(entity, []).append(name)
    field = _fields(sources)
    found = {}
    for entity, dataset_id, key, masked, personal in connection.execute(
        "SELECT r.entity, r.dataset_id, r.key, r.body, r.personal FROM registry.record r"
        " JOIN registry.dataset d ON d.id = r.dataset_id"
        " WHERE r.entity = ANY(%s) AND d.name = %s ORDER BY r.valid_from, r.key",
        (list(entities), sources.entity_dataset),
    ):
        body = opened(masked, personal, dataset_id, key)
        said = {name: body.get(column) for name, column in field.items()}
        name = said.get("name")
        if name:
            established = said.get("established_on")
            found[entity] = Enterprise(
                entity,
                name,
                tuple(sorted(former.get(entity, ()))),
                said.get("legal_representative"),
                said.get("division"),
                said.get("address"),
                date.fromisoformat(established) if established else None,
            )
    return found


def _fields(sources: Sources) -> dict[str, str]:
    """Field of the file -> field of an enterprise's own registration."""
    return {
        rule.name: source.field
        for rule in sources.fields
        for source in rule.authoritative
        if source.dataset == sources.entity_dataset
    }


_Row = tuple[str, str, str, str, str | None, UUID | None, bool]


def _names(connection: psycopg.Connection, entities: Sequence[str], sources: Sources) -> list[_Row]:
    """Present and former names of some enterprises; former ones are those of ended versions, also of ended records."""
    field = _fields(sources)
    present: dict[str, tuple[NameParts, str | None, UUID | None]] = {}
    former: dict[tuple[str, str], NameParts] = {}
    representative = field.get("legal_representative", "")
    for now, entity, name, address, shown, division, dataset_id, key, personal in connection.execute(
        """
        SELECT true, r.entity, r.body ->> %(name)s, r.body ->> %(address)s, r.body ->> %(representative)s,
            r.body ->> %(division)s, r.dataset_id, r.key, r.personal FROM registry.record r
        JOIN registry.dataset d ON d.id = r.dataset_id WHERE r.entity = ANY(%(entities)s) AND d.name = %(dataset)s
        UNION
        SELECT false, h.entity, h.body ->> %(name)s, NULL, NULL, NULL, NULL, NULL, NULL FROM registry.record_history h
        JOIN registry.dataset d ON d.id = h.dataset_id WHERE h.entity = ANY(%(entities)s) AND d.name = %(dataset)s
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
        """,
        {
            "entities": list(entities),
            "dataset": sources.entity_dataset,
            "name": field["name"],
            "address": field.get("address", ""),
            "representative": representative,
            "division": field.get("division", ""),
        },
    ):
        if name:
            parts = name_parts(name, sources.matching)
            if now:
                person = opened({representative: shown}, personal, dataset_id, key)[representative]
                present[entity] = (parts, _address(address), _person(person, division))
            else:
                former[entity, parts.name] = parts
    rows: list[_Row] = [
        (entity, parts.name, parts.core, parts.front, address, person, False)
        for entity, (parts, address, person) in present.items()
    ]
    rows += [
        (entity, name, parts.core, parts.front, None, None, True)
        for (entity, name), parts in former.items()
        if entity not in present or present[entity][0].name != name
    ]
    return rows


def subject_digest(subject: Subject) -> UUID:
    """The same for the same words; keyed where a person is among them, so that nobody finds out by trying names."""
    if subject.legal_representative is None:
        return UUID(plain_digest(subject.words))
    return UUID(key_file.ring().content_digest(subject.words))


def _address(text: str | None) -> str | None:
    local = local_address(text) if text else ""
    return local if len(local) >= _SHORTEST_ADDRESS else None


def _person(representative: str | None, division: str | None) -> UUID | None:
    """Representative and division as a keyed digest: names of persons stand in their records only, and sealed."""
    if not representative or not division:
        return None
    return UUID(key_file.ring().blind("person", f"{rules.normalise_person(representative)}/{division}"))
