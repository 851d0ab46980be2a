"""After a key was compromised: what it signed is worthless, and is made anew with its successor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from registry.domain.licences import content as contents
from registry.domain.licences import states
from registry.domain.licences.identifiers import HIGHEST_VERSION
from registry.domain.licences.loading import LicenceTypes
from registry.licences import authorities, following, standing, status, writing
from registry.licences.deciding import Step
from registry.licences.desk import HUB, Desk
from registry.licences.errors import LicenceServiceError
from registry.licences.keys import KeyRing
from registry.licences.standing import Origins, Standing
from registry.licences.writing import NewLicence, Source

STEP = 500
_STILL_OF_USE = [states.VALID, states.SUSPENDED, states.MOVED_OUT, states.OTHER]
_REASON = "签章密钥作废，重新签发 the seal key was revoked; issued anew"


@dataclass(frozen=True, slots=True)
class Reissued:
    """What was made anew."""

    licences: int
    forms: int
    """Forms that were dropped; they are made again when somebody asks."""
    status_lists: int
    copies_lost: int
    """Annotated copies still in their term that the key sealed: nobody believes them any more."""
    clients_to_tell: tuple[str, ...]
    """Who had these copies made, and has to have others made."""


def reissue(
    connection: psycopg.Connection,
    key_id: str,
    *,
    types: LicenceTypes,
    keys: KeyRing,
    base: str,
    now: datetime,
    actor: str = HUB,
) -> Reissued:
    """Make anew what a key signed: status lists, every licence that is still of use as a new version, its forms.

    In steps, each a transaction; killed or called again, it goes on where it was. Annotated copies and clients'
    credentials are not made anew, for they lie with others: how many copies are lost, and to whom, is said. Raises
    LicenceServiceError (key_in_use) for a key that still signs, NoActiveKey, KeyNotActive.
    """
    if connection.execute("SELECT FROM registry.signing_key WHERE id = %s AND state = 'active'", (key_id,)).rowcount:
        raise LicenceServiceError(
            "key_in_use",
            f"密钥 {key_id} 仍在使用：请先用 shuqiao keys revoke 作废",
            f"the key {key_id} is still in use: revoke it first, with `shuqiao keys revoke`",
        )
    standing.read_json_quickly(connection)
    desk = Desk(types, keys, base, now)
    lists = status.refresh(connection, keys, base=base, now=now)
    licences = 0
    for (name,) in connection.execute(
        "SELECT DISTINCT type FROM registry.licence WHERE key_id = %s AND superseded_by IS NULL ORDER BY 1", (key_id,)
    ).fetchall():
        while done := _step(connection, desk, name, key_id, actor):
            licences += done
    forms = connection.execute(
        "DELETE FROM registry.licence_form WHERE key_id = %s AND form <> 'vc'", (key_id,)
    ).rowcount
    copies = connection.execute(
        "SELECT client_id, count(*) FROM registry.licence_copy"
        " WHERE key_id = %s AND revoked_at IS NULL AND valid_until > %s GROUP BY 1 ORDER BY 1",
        (key_id, now),
    ).fetchall()
    return Reissued(licences, forms, lists, sum(count for _, count in copies), tuple(client for client, _ in copies))


def _step(connection: psycopg.Connection, desk: Desk, name: str, key_id: str, actor: str) -> int:
    with connection.transaction():
        following.lock(connection, name)
        found = standing.select(
            connection,
            "WHERE l.superseded_by IS NULL AND l.type = %s AND l.key_id = %s AND l.state = ANY(%s) AND l.version < %s"
            " ORDER BY l.id LIMIT %s",
            (name, key_id, _STILL_OF_USE, HIGHEST_VERSION, STEP),
        )
        writing.write(connection, desk, _anew(connection, desk, found, actor), [])
    return len(found)


def _anew(connection: psycopg.Connection, desk: Desk, found: Sequence[Standing], actor: str) -> list[NewLicence]:
    if not found:
        return []
    known = authorities.load(connection)
    origins = Origins(connection, desk.types.latest(found[0].type).dataset)
    origins.know(each.batch_id for each in found)
    new = []
    for each in found:
        licence_type = desk.types.one(f"{each.type}@{each.type_version}")
        new.append(
            NewLicence(
                contents.from_json(licence_type, each.content), each.content, each.content_hash,
                known.by_code[each.issuer_code],
                (Step(states.CHANGE.code, each.state, each.state, each.state_text or _REASON),),
                Source(each.dataset_id, each.key, each.record_version, each.batch_id, each.connector_id, each.row_id),
                origins.of(each.key, each.record_version, each.batch_id), actor, each,
            )
        )  # fmt: skip
    return new
