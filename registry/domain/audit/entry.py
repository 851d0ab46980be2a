"""An entry of the access log: who did or read what about whom, for what purpose; and the bytes that it is hashed as.

The bytes are canonical JSON (RFC 8785) of the entry with its index; a member without value is left out, so that what
later editions add changes no entry of before. The index is part of them: a row that was moved shows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from registry.domain.audit.merkle import leaf_hash

FORM = 1
"""The edition of the entry's form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answer that the hub gave, or one administrative act."""

    at: datetime
    """When the answer was ready, in UTC."""
    action: str
    """What was done: method and address of the route, ``GET /api/v1/entities/{entity}``, or ``shuqiao ...``."""
    status: int
    """The HTTP status of the answer."""
    request_digest: bytes
    """SHA-256 of what was asked; see :func:`registry.audit.requests.digest`."""
    trace_id: str
    process: str
    """Which running process of the hub wrote it."""
    client: str | None = None
    """Who asked; None where anyone may."""
    dataset: str | None = None
    entity: str | None = None
    """The code of the one enterprise or person that the answer is about."""
    entities: tuple[str, ...] | None = None
    """Their codes, sorted, where it is about several."""
    fields: tuple[str, ...] | None = None
    """What was asked of each record, where it was not all."""
    purpose: str | None = None
    """用证事由, as the client stated it."""
    case_number: str | None = None
    """The client's own number of the matter for which it asks."""


def canonical(entry: Entry, index: int) -> bytes:
    """The bytes of the leaf. Raises ValueError for text that JSON cannot say (half a surrogate pair)."""
    members: dict[str, Any] = {
        "action": entry.action,
        "at": moment(entry.at),
        "case_number": entry.case_number,
        "client": entry.client,
        "dataset": entry.dataset,
        "entities": entry.entities,
        "entity": entry.entity,
        "fields": entry.fields,
        "index": index,
        "process": entry.process,
        "purpose": entry.purpose,
        "request_digest": entry.request_digest.hex(),
        "status": entry.status,
        "trace_id": entry.trace_id,
        "v": FORM,
    }
    # Plain names, whole numbers and texts only: so spelt, and in this order, orjson's output is that of RFC 8785.
    try:
        return orjson.dumps({name: value for name, value in members.items() if value is not None})
    except orjson.JSONEncodeError as error:
        raise ValueError(f"an entry cannot be said in JSON: {error}") from error


def hash_at(entry: Entry, index: int) -> bytes:
    """The hash of the entry as the leaf of that index."""
    return leaf_hash(canonical(entry, index))


def moment(at: datetime) -> str:
    """A moment as entries have it: RFC 3339, UTC, always six digits after the point."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
