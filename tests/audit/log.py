"""A log on a real database: entries of every shape, checkpoints, and a key that signs them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import psycopg

from registry.audit import checkpoints, log, notes
from registry.audit.checkpoints import Kept
from registry.audit.notes import LogKey
from registry.domain.audit.entry import Entry
from registry.signing import p256
from registry.signing.p256 import P256Signer

BEGAN = datetime(2026, 3, 1, 8, tzinfo=UTC)
DID = "did:web:hub.example.cn"
SIGNER = P256Signer(p256.new_key(), f"{DID}#log")
KEY = LogKey(notes.origin(DID), SIGNER.private_key.public_key())
CODES = ["91310000MA1FL00A0Q", "91330200MA2AFUL22M", "91330203MA2CH1XY5T", "91330206MA2GRH8K6U"]


def an_entry(number: int) -> Entry:
    """Every number has another entry; together they use all that an entry may hold."""
    draw = random.Random(number)
    several = number % 5 == 0
    return Entry(
        at=BEGAN + timedelta(milliseconds=number),
        action=draw.choice(["GET /api/v1/entities/{entity}", "GET /api/v1/datasets/{dataset}/records"]),
        status=draw.choice([200, 200, 304, 404]),
        client=None if number % 11 == 0 else f"client-{draw.randrange(4)}",
        dataset="legal_entity" if number % 2 else None,
        entity=None if several else draw.choice(CODES),
        entities=tuple(sorted(draw.sample(CODES, 2))) if several else None,
        fields=("name", "uscc") if number % 3 == 0 else None,
        purpose="信贷审批" if number % 2 else None,
        case_number=f"贷〔2026〕{number}号" if number % 4 == 0 else None,
        request_digest=sha256(b"%d" % number).digest(),
        trace_id=f"trace-{number}",
        process=f"process-{number % 2}",
    )


def fill(connection: psycopg.Connection, size: int, *, batches: Sequence[int] = (1, 7, 60, 300)) -> None:
    """Append until there are so many, in batches of these lengths, one after the other."""
    there, turn = log.head(connection).size, 0
    while there < size:
        count = min(batches[turn % len(batches)], size - there)
        assert log.append(connection, [an_entry(number) for number in range(there, there + count)]) == there
        there, turn = there + count, turn + 1


def signed(connection: psycopg.Connection) -> Kept:
    """A checkpoint of the log as it is."""
    return checkpoints.make(connection, SIGNER, BEGAN)
