"""An entry of the access log: who did or read what about whom, for what purpose; and the bytes that it is hashed as.

The bytes are canonical JSON (RFC 8785) of the entry with its index; a member without value is left out, so that what
later editions add changes no entry of before. The index is part of them: a row that was moved shows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

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
    """The HTTP status of the answer; 202 for an act at a terminal, which is written down before it begins."""
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
    """What was given of each record, where it was not all."""
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


def parsed(data: bytes) -> tuple[int, Entry]:
    """Index and entry of a leaf's bytes. Raises ValueError for bytes that :func:`canonical` does not make."""
    try:
        found: dict[str, Any] = orjson.loads(data)
        index = int(found["index"])
        entry = Entry(
            at=datetime.fromisoformat(found["at"]),
            action=found["action"],
            status=found["status"],
            request_digest=bytes.fromhex(found["request_digest"]),
            trace_id=found["trace_id"],
            process=found["process"],
            client=found.get("client"),
            dataset=found.get("dataset"),
            entity=found.get("entity"),
            entities=_texts(found.get("entities")),
            fields=_texts(found.get("fields")),
            purpose=found.get("purpose"),
            case_number=found.get("case_number"),
        )
        same = canonical(entry, index) == data
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no entry of the access log: {error}") from error
    if not same:
        raise ValueError("no entry of the access log: it would be written otherwise")
    return index, entry


def _texts(found: list[str] | None) -> tuple[str, ...] | None:
    return None if found is None else tuple(found)


def moment(at: datetime) -> str:
    """A moment as entries have it: RFC 3339, UTC, always six digits after the point."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
