"""E-licences as the API reads them: one, many, a licence's versions and events, its stored forms and its copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row
from registry.storage.reads.records import STALE

_LICENCES = """
SELECT l.id, l.identifier, l.version, l.type, l.type_version, l.issuer_code, i.name AS issuer_name, i.name_en, i.did,
       l.number, l.holder_code, l.holder_code_type, l.holder_name, l.issued_on, l.valid_from, l.valid_to,
       l.content::text AS content, l.personal, l.dataset_id, d.name AS dataset, d.schema, l.key, l.record_version,
       l.batch_id, c.name AS connector, c.department, l.state, l.state_text, l.state_since, l.status_group_id,
       l.status_index, l.issued_at, l.superseded_at, b.identifier AS supersedes, a.identifier AS superseded_by,
       l.key_id,
       s.since AS stale_since, s.reasons AS stale_reasons, f.first_seen AS refused_since, f.reasons AS refused_reasons,
       (SELECT max(number) FROM registry.licence_event e WHERE e.licence_id = l.id) AS events
FROM (SELECT * FROM registry.licence l WHERE {where} ORDER BY {order} LIMIT {limit}) l
JOIN registry.issuer i ON i.code = l.issuer_code
LEFT JOIN registry.dataset d ON d.id = l.dataset_id
LEFT JOIN registry.connector c ON c.id = l.connector_id
LEFT JOIN registry.licence b ON b.id = l.supersedes
LEFT JOIN registry.licence a ON a.id = l.superseded_by
LEFT JOIN registry.licence_refusal f
    ON f.type = l.type AND f.dataset_id = l.dataset_id AND f.key = l.key AND l.superseded_by IS NULL
""" + STALE.format(version="l", until="", on="l.superseded_by IS NULL") + """
ORDER BY {order}
"""  # fmt: skip

_VERSIONS = """
WITH RECURSIVE chain AS (
    SELECT id, supersedes, superseded_by FROM registry.licence WHERE id = $1
    UNION
    SELECT l.id, l.supersedes, l.superseded_by FROM chain c
    JOIN registry.licence l ON l.id = ANY(ARRAY[c.supersedes, c.superseded_by])
)
SELECT l.id, l.identifier, l.version, l.type, l.state, l.state_text, l.state_since, l.issued_on, l.valid_from,
       l.valid_to, l.issued_at, l.superseded_at, l.record_version, l.batch_id, d.name AS dataset
FROM chain JOIN registry.licence l ON l.id = chain.id LEFT JOIN registry.dataset d ON d.id = l.dataset_id
ORDER BY l.id DESC LIMIT 1000
"""

_NEWEST = """
WITH RECURSIVE chain AS (
    SELECT identifier, superseded_by FROM registry.licence WHERE identifier = $1
    UNION ALL
    SELECT l.identifier, l.superseded_by FROM chain c JOIN registry.licence l ON l.id = c.superseded_by
)
SELECT identifier FROM chain WHERE superseded_by IS NULL
"""

_EVENTS = """
SELECT e.licence_id, e.number, e.at, e.operation, e.from_state, e.to_state, e.text, e.actor, e.record_version
FROM registry.licence_event e WHERE e.licence_id = ANY($1::bigint[]) ORDER BY e.licence_id DESC, e.number DESC
"""

_COPY = """
SELECT c.id, l.identifier, l.type, c.client_id, c.requested_by, c.cause, c.created_at, c.valid_until, c.revoked_at,
       c.revoked_by, c.status_group_id, c.status_index, k.revoked_at AS seal_revoked_at, d.name AS dataset{body}
FROM registry.licence_copy c JOIN registry.licence l ON l.id = c.licence_id
LEFT JOIN registry.dataset d ON d.id = l.dataset_id
LEFT JOIN registry.signing_key k ON k.id = c.key_id AND k.revocation_reason = 'key_compromise'
WHERE {where} ORDER BY c.created_at DESC, c.id DESC LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Form:
    """A signed form as it is stored: maybe sealed."""

    body: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which licences a list is to hold; None: any."""

    types: Sequence[str]
    """Only these; empty: none."""
    holder_codes: Sequence[str] | None = None
    """As what the code may be stored."""
    holder_code_type: str | None = None
    number: str | None = None
    state: str | None = None
    current: bool = True
    """Only those that no other version has superseded."""


async def one(pool: Pool, identifier: str) -> Row | None:
    """The licence of an identifier, superseded or not."""
    return await pool.row(_LICENCES.format(where="l.identifier = $1", order="l.id", limit="1"), identifier)


async def page(pool: Pool, wanted: Wanted, *, after: int | None, limit: int) -> list[Row]:
    """Licences in the order in which they were issued, after a number of that order."""
    arguments = Arguments()
    where = [f"l.type = ANY({arguments.add(list(wanted.types))}::text[])"]
    if wanted.current:
        where.append("l.superseded_by IS NULL")
    if after is not None:
        where.append(f"l.id > {arguments.add(after)}")
    if wanted.holder_codes is not None:
        where.append(f"l.holder_code = ANY({arguments.add(list(wanted.holder_codes))}::text[])")
    equal = {
        "l.holder_code_type": wanted.holder_code_type,
        "l.number": wanted.number,
        "l.state": wanted.state,
    }
    where += [f"{column} = {arguments.add(value)}" for column, value in equal.items() if value is not None]
    statement = _LICENCES.format(where=" AND ".join(where), order="l.id", limit=arguments.add(limit))
    return await pool.rows(statement, *arguments)


async def versions(pool: Pool, licence_id: int) -> list[Row]:
    """Every version that is linked with a licence, the newest first."""
    return await pool.rows(_VERSIONS, licence_id)


async def newest(pool: Pool, identifier: str) -> str | None:
    """The identifier of the version that has taken a licence's place, or its own; None: there is no such licence."""
    row = await pool.row(_NEWEST, identifier)
    return row and str(row["identifier"])


async def events(pool: Pool, licence_ids: Sequence[int]) -> list[Row]:
    """What was done to some licences, the newest first."""
    return await pool.rows(_EVENTS, list(licence_ids))


async def form(pool: Pool, licence_id: int, name: str) -> Form | None:
    """A form that has been made already: ``vc``, ``jwt``, ``sd_jwt``, ``pdf``, ``sm2``."""
    row = await pool.row(
        "SELECT body, key_id FROM registry.licence_form WHERE licence_id = $1 AND form = $2", licence_id, name
    )
    return row and Form(bytes(row["body"]), row["key_id"])


async def copies(pool: Pool, licence_id: int, client_id: str | None, *, limit: int) -> list[Row]:
    """The annotated copies of a licence, the newest first; those of one client, or all."""
    arguments = Arguments()
    where = [f"c.licence_id = {arguments.add(licence_id)}"]
    if client_id is not None:
        where.append(f"c.client_id = {arguments.add(client_id)}")
    statement = _COPY.format(body="", where=" AND ".join(where), limit=arguments.add(limit))
    return await pool.rows(statement, *arguments)


async def copy(pool: Pool, copy_id: str) -> Row | None:
    """One annotated copy with its credential and its document."""
    return await pool.row(_COPY.format(body=", c.credential, c.pdf", where="c.id = $1", limit="1"), copy_id)
