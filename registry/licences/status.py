"""Status lists: where each licence's state is published, and what is published there.

A group is a range of positions that an authority's three lists share, each position given out once and in random
order. What the bits say:

* ``revocation`` (cannot be taken back): withdrawn 03, cancelled 04, revoked 07, superseded by a newer version, and
  expired 05 when the record said so before the term's end. A licence whose term has simply ended is not in it: its own
  ``validUntil`` tells.
* ``suspension`` (can be lifted): suspended 02, moved out 06, other 99.
* ``message`` (four bits): the state itself, or superseded (:func:`registry.domain.licences.states.message_value`).

A list is changed, signed anew and stored in the transaction that changes the state: what is published is never behind.
The work goes by the lists touched, not by the licences in them.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from registry.credentials import build, status_list
from registry.credentials.status_list import Purpose
from registry.domain.licences import states
from registry.domain.licences.licence import StatusEntry
from registry.licences.desk import CHINA, lock_authorities
from registry.licences.keys import KeyRing

POSITIONS = status_list.MIN_ENTRIES
"""Of one group."""
VALID_FOR = timedelta(days=7)
RENEW_WITHIN = timedelta(days=2)
"""A list that ends sooner is signed anew, changed or not."""
SUPERSEDED = "superseded"
_FINAL = frozenset({states.WITHDRAWN, states.CANCELLED, states.REVOKED})
_LIFTABLE = frozenset({states.SUSPENDED, states.MOVED_OUT, states.OTHER})


@dataclass(frozen=True, slots=True)
class Bits:
    """What one position says in the three lists."""

    revocation: int = 0
    suspension: int = 0
    message: int = 0

    def of(self, purpose: Purpose) -> int:
        """In one of them."""
        return {"revocation": self.revocation, "suspension": self.suspension, "message": self.message}[purpose]


SUPERSEDED_BITS = Bits(revocation=1, message=states.message_value(SUPERSEDED))


def bits_of(state: str, since: datetime, valid_to: date | None) -> Bits:
    """What the lists say of a licence that nothing supersedes, in a state since a moment."""
    early = state == states.EXPIRED and (valid_to is None or since.astimezone(CHINA).date() <= valid_to)
    return Bits(
        revocation=int(state in _FINAL or early),
        suspension=int(state in _LIFTABLE),
        message=states.message_value(state),
    )


def allocate(
    connection: psycopg.Connection, keys: KeyRing, wanted: Mapping[str, int], *, base: str, now: datetime
) -> dict[str, list[StatusEntry]]:
    """Take so many positions for each authority (by code). The caller has locked the authorities."""
    open_groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for group, code, room in connection.execute(
        "SELECT id, issuer_code, size - used FROM registry.status_group WHERE issuer_code = ANY(%s) AND used < size"
        " ORDER BY id",
        (list(wanted),),
    ):
        open_groups[code].append((group, room))
    taken: dict[str, list[StatusEntry]] = {}
    for code, count in wanted.items():
        entries: list[StatusEntry] = []
        while (missing := count - len(entries)) > 0:
            group, room = open_groups[code].pop(0) if open_groups[code] else _open(connection, keys, code, base, now)
            entries += _take(connection, group, min(room, missing))
        taken[code] = entries
    return taken


def _take(connection: psycopg.Connection, group: int, count: int) -> list[StatusEntry]:
    row = connection.execute(
        "UPDATE registry.status_group SET used = used + %(count)s WHERE id = %(group)s"
        " RETURNING substring(index_order FROM (used - %(count)s) * 4 + 1 FOR %(count)s * 4)",
        {"count": count, "group": group},
    ).fetchone()
    assert row is not None  # noqa: S101  (its authority is locked, and groups are never deleted)
    order = array("I", row[0])
    if sys.byteorder == "little":
        order.byteswap()
    return [StatusEntry(group, index) for index in order]


def _open(connection: psycopg.Connection, keys: KeyRing, code: str, base: str, now: datetime) -> tuple[int, int]:
    """A new group with its three lists, all zero."""
    lots = array("Q", os.urandom(POSITIONS * 8))
    order = array("I", sorted(range(POSITIONS), key=lots.__getitem__))
    if sys.byteorder == "little":
        order.byteswap()
    row = connection.execute(
        "INSERT INTO registry.status_group (issuer_code, size, index_order, created_at) VALUES (%s, %s, %s, %s)"
        " RETURNING id",
        (code, POSITIONS, order.tobytes(), now),
    ).fetchone()
    assert row is not None  # noqa: S101  (RETURNING)
    for purpose, size in status_list.SIZES.items():
        bits = bytes(POSITIONS * size // 8)
        connection.execute(
            "INSERT INTO registry.status_list"
            " (group_id, purpose, status_size, bits, document, key_id, signed_at, valid_until)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (row[0], purpose, size, bits, _sign(keys, code, row[0], purpose, bits, base, now),
             keys.signer(code).key_id, now, now + VALID_FOR),
        )  # fmt: skip
    return row[0], POSITIONS


def apply(
    connection: psycopg.Connection,
    keys: KeyRing,
    changes: Iterable[tuple[StatusEntry, Bits]],
    *,
    base: str,
    now: datetime,
) -> int:
    """Publish what some positions say from now on; how many lists were signed.

    The caller has locked the authorities.
    """
    by_group: dict[int, list[tuple[int, Bits]]] = defaultdict(list)
    for entry, bits in changes:
        by_group[entry.group].append((entry.index, bits))
    if not by_group:
        return 0
    signed = 0
    for group, purpose, size, code, before in connection.execute(
        "SELECT l.group_id, l.purpose, l.status_size, g.issuer_code, l.bits FROM registry.status_list l"
        " JOIN registry.status_group g ON g.id = l.group_id WHERE l.group_id = ANY(%s) ORDER BY 1, 2 FOR UPDATE OF l",
        (list(by_group),),
    ).fetchall():
        changed = bytearray(before)
        for index, says in by_group[group]:
            status_list.set_value(changed, index, size, says.of(purpose))
        if changed != before:
            _store(connection, keys, code, group, purpose, bytes(changed), base, now)
            signed += 1
    return signed


def refresh(connection: psycopg.Connection, keys: KeyRing, *, base: str, now: datetime) -> int:
    """Sign anew the lists that end soon, or whose key was revoked; how many.

    Those of an authority that has no key wait until it has one. Raises KeyNotActive.
    """
    due: dict[str, list[int]] = defaultdict(list)
    for code, group in connection.execute(
        "SELECT DISTINCT g.issuer_code, g.id" + _DUE + " ORDER BY 1, 2", (now + RENEW_WITHIN,)
    ).fetchall():
        due[code].append(group)
    signed = 0
    for code, groups in due.items():
        for group in groups:
            with connection.transaction():
                lock_authorities(connection, keys, [code])
                for purpose, bits in connection.execute(
                    "SELECT l.purpose, l.bits" + _DUE + " AND g.id = %s", (now + RENEW_WITHIN, group)
                ).fetchall():
                    _store(connection, keys, code, group, purpose, bits, base, now)
                    signed += 1
    return signed


_DUE = (
    " FROM registry.status_list l JOIN registry.status_group g ON g.id = l.group_id"
    " JOIN registry.signing_key k ON k.id = l.key_id WHERE (l.valid_until <= %s OR k.state = 'revoked')"
    " AND EXISTS (SELECT FROM registry.signing_key a"
    " WHERE a.issuer_code = g.issuer_code AND a.purpose = 'seal' AND a.state = 'active')"
)


def _store(
    connection: psycopg.Connection,
    keys: KeyRing,
    code: str,
    group: int,
    purpose: Purpose,
    bits: bytes,
    base: str,
    now: datetime,
) -> None:
    connection.execute(
        "UPDATE registry.status_list SET bits = %s, edition = edition + 1, document = %s, key_id = %s, signed_at = %s,"
        " valid_until = %s WHERE group_id = %s AND purpose = %s",
        (bits, _sign(keys, code, group, purpose, bits, base, now), keys.signer(code).key_id, now, now + VALID_FOR,
         group, purpose),
    )  # fmt: skip


def _sign(keys: KeyRing, code: str, group: int, purpose: Purpose, bits: bytes, base: str, now: datetime) -> bytes:
    return status_list.credential(
        build.status_url(base, group, purpose),
        keys.signer(code).verification_method.partition("#")[0],
        purpose,
        bits,
        keys.signer(code),
        valid_from=now,
        valid_until=now + VALID_FOR,
    )


def read(connection: psycopg.Connection, entry: StatusEntry) -> Bits:
    """What the lists say of a position now."""
    says = {
        purpose: status_list.get(bits, entry.index, size)
        for purpose, size, bits in connection.execute(
            "SELECT purpose, status_size, bits FROM registry.status_list WHERE group_id = %s", (entry.group,)
        )
    }
    return Bits(**says)
