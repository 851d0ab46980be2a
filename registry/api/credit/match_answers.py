"""What is answered about a record without a code and an enterprise that it may be about."""

from __future__ import annotations

from typing import Any

import orjson

from registry.credit.matching import STATES
from registry.domain.credit.readers import without_identifiers
from registry.storage.reads import credit_matches
from registry.storage.reads.credit_matches import Wanted
from registry.storage.reads.pool import Pool, Row

_AS_THEY_ARE = (
    "id", "dataset", "entity", "state", "decided_by", "decided_at", "reason", "found_at", "accepted_at", "ended_at",
)  # fmt: skip
_OF_OTHERS = ("id", "entity", "state", "decided_by", "decided_at", "reason")


async def page(pool: Pool, wanted: Wanted, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Matches by number, each with its score and why it has it."""
    return [_summary(row) for row in await credit_matches.page(pool, wanted, after=after, limit=limit)]


async def whole(pool: Pool, row: Row) -> dict[str, Any]:
    """One match with what is compared, and what else was matched with the same record."""
    stated = await credit_matches.stated(pool, row)
    names = await credit_matches.names(pool, row["entity"])
    return _summary(row) | {
        "record": None if stated is None else {"name": stated["name"], "address": stated["address"]},
        "enterprise": {
            "names": [each["name"] for each in names if not each["former"]],
            "former_names": [each["name"] for each in names if each["former"]],
            "addresses": sorted({each["address"] for each in names if each["address"] is not None}),
        },
        "decisions": [dict(each) for each in await credit_matches.decisions(pool, row["id"])],
        "others": [
            {name: each[name] for name in _OF_OTHERS} | {"score": _score(each)}
            for each in await credit_matches.others(pool, row)
        ],
    }


def _summary(row: Row) -> dict[str, Any]:
    zh, en = STATES[row["state"]]
    return {
        **{name: row[name] for name in _AS_THEY_ARE},
        "key": without_identifiers(row["key"]),
        "state_title": {"zh": zh, "en": en},
        "score": _score(row),
        "features": orjson.loads(row["features"]),
    }


def _score(row: Row) -> float:
    return round(float(row["score"]), 4)
