"""Write what was decided: licences with their signed form, events, states and status bits.

Licences are written with COPY, a thousand at a time; nothing here asks the database once per licence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import psycopg

from registry.credentials import build, data_integrity
from registry.domain.licences import states
from registry.domain.licences.identifiers import Identifier, new_serial
from registry.domain.licences.licence import Content, Issuer, Licence, Origin, StatusEntry
from registry.licences import status
from registry.licences.deciding import Refuse, Step
from registry.licences.desk import Desk, lock_authorities
from registry.licences.standing import Standing
from registry.licences.status import Bits
from registry.licences.storing import FORM, form_identity, stored_content, stored_document


@dataclass(frozen=True, slots=True)
class Source:
    """The record that a licence stands for."""

    dataset_id: int
    key: str
    record_version: int
    batch_id: int
    connector_id: int
    row_id: str


@dataclass(frozen=True, slots=True)
class NewLicence:
    """A licence to be made, or a new version of one."""

    content: Content
    plain: Any
    digest: UUID
    issuer: Issuer
    steps: tuple[Step, ...]
    source: Source
    origin: Origin
    actor: str
    predecessor: Standing | None


@dataclass(frozen=True, slots=True)
class StateChange:
    """A licence enters a state."""

    licence: Standing
    step: Step
    actor: str
    record_version: int | None


LICENCE_COLUMNS = (
    "id", "identifier", "serial", "version", "type", "type_version", "issuer_code", "number", "holder_code",
    "holder_code_type", "holder_name", "issued_on", "valid_from", "valid_to", "content", "personal", "content_hash",
    "dataset_id",
    "key", "record_version", "batch_id", "connector_id", "row_id", "state", "state_text", "state_since",
    "status_group_id", "status_index", "supersedes", "issued_at", "key_id",
)  # fmt: skip
_INTO_LICENCES = f"COPY registry.licence ({', '.join(LICENCE_COLUMNS)}) FROM STDIN".encode()
_INTO_FORMS = b"COPY registry.licence_form (licence_id, form, body, key_id, made_at) FROM STDIN"
_INTO_EVENTS = (
    b"COPY registry.licence_event"
    b" (licence_id, number, at, operation, from_state, to_state, text, actor, record_version) FROM STDIN"
)


def write(
    connection: psycopg.Connection, desk: Desk, new: Sequence[NewLicence], changes: Sequence[StateChange]
) -> list[int]:
    """Make the licences and enter the states; the new licences' ids, in their order.

    Everything is written in the caller's transaction, which has to hold the types' rows. Raises KeysOutdated.
    """
    predecessors = [each.predecessor for each in new if each.predecessor is not None]
    touched = {each.issuer.code for each in new}
    touched |= {each.issuer_code for each in predecessors} | {each.licence.issuer_code for each in changes}
    lock_authorities(connection, desk.keys, touched)
    ids, entries = _numbers(connection, len(new)), _positions(connection, desk, new)
    bits: list[tuple[StatusEntry, Bits]] = []
    says: dict[int, tuple[StatusEntry, Bits]] = {
        each.id: (each.status, status.SUPERSEDED_BITS) for each in predecessors
    }
    if new:
        _supersede(connection, desk, new, ids)
        bits += _copy(connection, desk, new, ids, entries)
    if changes:
        says |= _enter(connection, desk, changes)
    bits += says.values()
    bits += _of_copies(connection, says)
    status.apply(connection, desk.keys, bits, base=desk.base, now=desk.now)
    return ids


def _numbers(connection: psycopg.Connection, count: int) -> list[int]:
    if not count:
        return []
    rows = connection.execute(
        "SELECT nextval(pg_get_serial_sequence('registry.licence', 'id')) FROM generate_series(1, %s)", (count,)
    )
    return [number for (number,) in rows]


def _positions(connection: psycopg.Connection, desk: Desk, new: Sequence[NewLicence]) -> list[StatusEntry]:
    wanted = Counter(each.issuer.code for each in new)
    taken = status.allocate(connection, desk.keys, wanted, base=desk.base, now=desk.now)
    each_in_turn = {code: iter(entries) for code, entries in taken.items()}
    return [next(each_in_turn[each.issuer.code]) for each in new]


def _supersede(connection: psycopg.Connection, desk: Desk, new: Sequence[NewLicence], ids: Sequence[int]) -> None:
    """Before the successors are there: of one record only one licence may be current at any time."""
    pairs = [
        (each.predecessor.id, number) for each, number in zip(new, ids, strict=True) if each.predecessor is not None
    ]
    if pairs:
        connection.execute(
            "UPDATE registry.licence l SET superseded_by = s.new, superseded_at = %s"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS s(old, new) WHERE l.id = s.old",
            (desk.now, [old for old, _ in pairs], [number for _, number in pairs]),
        )


def _copy(
    connection: psycopg.Connection,
    desk: Desk,
    new: Sequence[NewLicence],
    ids: Sequence[int],
    entries: Sequence[StatusEntry],
) -> list[tuple[StatusEntry, Bits]]:
    """The licences' rows, signed forms and events; what their status positions have to say other than nothing."""
    now = desk.now
    rows, forms, events, bits = [], [], [], []
    for each, number, entry in zip(new, ids, entries, strict=True):
        content, licence_type, before = each.content, each.content.type, each.predecessor
        last = each.steps[-1]
        state_text = last.text if last.to_state == states.OTHER else None  # elsewhere it is the event's own
        serial, version = (before.serial, before.version + 1) if before else (new_serial(), 1)
        identifier = str(Identifier(licence_type.code, each.issuer.code, serial, version))
        signer = desk.keys.signer(each.issuer.code)
        licence = Licence(
            id=number,
            identifier=identifier,
            version=version,
            type=licence_type.name,
            type_version=licence_type.version,
            issuer=each.issuer,
            content=content,
            origin=each.origin,
            status=entry,
            state=last.to_state,
            state_text=state_text,
            supersedes=before.identifier if before else None,
            superseded_by=None,
        )
        credential = data_integrity.add_proof(build.licence_credential(licence, base=desk.base), signer, now)
        stored, source = stored_content(licence_type, content, each.plain, number), each.source
        rows.append(
            (number, identifier, serial, version, licence_type.name, licence_type.version, each.issuer.code,
             content.number, stored.holder_code, content.holders[0].code_type, stored.holder_name, content.issued_on,
             content.valid_from,
             content.valid_to, stored.content.decode(), stored.personal, stored.digest, source.dataset_id, source.key,
             source.record_version, source.batch_id, source.connector_id, source.row_id, last.to_state, state_text, now,
             entry.group, entry.index, before.id if before else None, now, signer.key_id)
        )  # fmt: skip
        vc = stored_document(licence_type, FORM, form_identity(number, "vc"), orjson.dumps(credential))
        forms.append((number, "vc", vc, signer.key_id, now))
        events += [
            (number, place, now, step.operation, step.from_state, step.to_state, step.text, each.actor,
             source.record_version)
            for place, step in enumerate(each.steps, 1)
        ]  # fmt: skip
        says = status.bits_of(last.to_state, now, content.valid_to)
        if says != Bits():
            bits.append((entry, says))
    _copy_rows(connection, _INTO_LICENCES, rows)
    _copy_rows(connection, _INTO_FORMS, forms)
    _copy_rows(connection, _INTO_EVENTS, events)
    return bits


def _copy_rows(connection: psycopg.Connection, statement: bytes, rows: Sequence[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _enter(
    connection: psycopg.Connection, desk: Desk, changes: Sequence[StateChange]
) -> dict[int, tuple[StatusEntry, Bits]]:
    """New states and their events; what each licence's position says from now on."""
    connection.execute(
        "UPDATE registry.licence l SET state = s.state, state_text = s.text, state_since = %s"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS s(id, state, text) WHERE l.id = s.id",
        (
            desk.now,
            [each.licence.id for each in changes],
            [each.step.to_state for each in changes],
            [each.step.text for each in changes],
        ),
    )
    seen: dict[int, int] = defaultdict(int)
    events = []
    for each in changes:
        seen[each.licence.id] += 1
        step = each.step
        events.append(
            (each.licence.id, each.licence.events + seen[each.licence.id], desk.now, step.operation, step.from_state,
             step.to_state, step.text, each.actor, each.record_version)
        )  # fmt: skip
    _copy_rows(connection, _INTO_EVENTS, events)
    return {
        each.licence.id: (each.licence.status, status.bits_of(each.step.to_state, desk.now, each.licence.valid_to))
        for each in changes
    }


def _of_copies(
    connection: psycopg.Connection, says: Mapping[int, tuple[StatusEntry, Bits]]
) -> list[tuple[StatusEntry, Bits]]:
    """Annotated copies say what their licence says, until they are revoked themselves."""
    if not says:
        return []
    rows = connection.execute(
        "SELECT licence_id, status_group_id, status_index FROM registry.licence_copy"
        " WHERE licence_id = ANY(%s) AND revoked_at IS NULL",
        (list(says),),
    )
    return [(StatusEntry(group, index), says[licence_id][1]) for licence_id, group, index in rows]


def refuse(
    connection: psycopg.Connection, desk: Desk, licence_type: str, dataset_id: int, refusals: Sequence[Refuse]
) -> None:
    """Keep why records and licences do not agree; a refusal that is there already is brought up to date."""
    if refusals:
        connection.execute(
            """
            INSERT INTO registry.licence_refusal
                (type, dataset_id, key, record_version, reasons, first_seen, last_seen)
            SELECT %(type)s, %(dataset)s, r.key, r.version, r.reasons, %(now)s, %(now)s
            FROM unnest(%(keys)s::text[], %(versions)s::bigint[], %(reasons)s::jsonb[]) AS r(key, version, reasons)
            ON CONFLICT (type, dataset_id, key) DO UPDATE SET record_version = excluded.record_version,
                reasons = excluded.reasons, last_seen = excluded.last_seen
            """,
            {
                "type": licence_type,
                "dataset": dataset_id,
                "now": desk.now,
                "keys": [each.key for each in refusals],
                "versions": [each.record_version for each in refusals],
                "reasons": [orjson.dumps([why.as_dict() for why in each.reasons]).decode() for each in refusals],
            },
        )


def mend(connection: psycopg.Connection, licence_type: str, dataset_id: int, keys: Sequence[str]) -> None:
    """Forget the refusals of keys that agree now."""
    connection.execute(
        "DELETE FROM registry.licence_refusal WHERE type = %s AND dataset_id = %s AND key = ANY(%s)",
        (licence_type, dataset_id, list(keys)),
    )
