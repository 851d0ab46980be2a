"""What is answered about a repair or an objection: to the window, the department, the hub, and on the command line.

Identifiers of persons in what people wrote are shown to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import orjson

from registry.domain.credit.cases import ACTIONS, KINDS, ROLES, STATES, Role, possible
from registry.domain.credit.marks import china_day
from registry.domain.credit.readers import without_identifiers
from registry.storage.reads import credit_cases
from registry.storage.reads.credit_cases import Seen, Wanted
from registry.storage.reads.pool import Pool, Row

_WORDS_OF_STEPS = {
    "accept": ("受理", "accept or decline"),
    "forward": ("转办", "forward"),
    "decide": ("办结", "decide"),
    "decide_forwarded": ("办结", "decide"),
}
_AS_THEY_ARE = (
    "id", "dataset", "record_version", "entity", "department", "place", "rules", "state", "filed_by", "applicant",
    "filed_at", "accepted_at", "forwarded_at", "extended_at", "decided_at", "decided_by", "remedy",
)  # fmt: skip


async def page(
    pool: Pool, wanted: Wanted, seen: Seen | None, *, after: int, limit: int, at: datetime
) -> list[dict[str, Any]]:
    """Cases by number, without what was written in them."""
    return [_summary(row, at) for row in await credit_cases.page(pool, wanted, seen, after=after, limit=limit)]


async def whole(pool: Pool, row: Row, roles: Iterable[Role], at: datetime) -> dict[str, Any]:
    """One case with everything that happened to it; ``roles``: those of the reader, to say what it may do next."""
    decision = row["decision"]
    return _summary(row, at) | {
        "statement": without_identifiers(row["statement"]),
        "evidence": [each | {"title": without_identifiers(each["title"])} for each in orjson.loads(row["evidence"])],
        "decision": None if decision is None else without_identifiers(decision),
        "events": [_event(each) for each in await credit_cases.events(pool, row["id"])],
        "possible": [
            {"action": action, "title": _title(ACTIONS[action])}
            for action in possible(row["state"], frozenset(roles))
            if action != "extend" or row["extended_at"] is None
        ],
    }


def _summary(row: Row, at: datetime) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _AS_THEY_ARE},
        "kind": row["kind"],
        "title": _title(KINDS[row["kind"]]),
        "state_title": _title(STATES[row["state"]]),
        "key": without_identifiers(row["key"]),
        "due": None if row["due_on"] is None else _due(row, china_day(at)),
    }


def _due(row: Row, today: date) -> dict[str, Any]:
    return {
        "on": row["due_on"],
        "step": row["due_step"],
        "title": _title(_WORDS_OF_STEPS[row["due_step"]]),
        "assumed": row["due_assumed"],
        "overdue": row["due_on"] < today,
        "noted_at": row["overdue_noted_at"],
    }


def _event(row: Row) -> dict[str, Any]:
    text = row["text"]
    title = _title(ACTIONS[row["action"]]) if row["action"] in ACTIONS else {"zh": "逾期", "en": "deadline missed"}
    return {
        **{name: row[name] for name in ("number", "at", "action", "role", "actor", "from_state", "to_state")},
        "title": title,
        "role_title": _title(ROLES[row["role"]]),
        "text": None if text is None else without_identifiers(text),
    }


def _title(words: tuple[str, str]) -> dict[str, str]:
    return {"zh": words[0], "en": words[1]}
