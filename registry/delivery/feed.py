"""The change feed as a grant shows it: which changes, and what of each.

A grant may cover some records of a dataset only. A record that comes among them appears as new, one that leaves them as
deleted, without body; what happens to the others is not told. The feed's reader must have asked for what records were
before (``partly`` of :func:`registry.storage.reads.changes.after`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import orjson

from registry.domain.grants.grant import Grant
from registry.domain.grants.projection import View
from registry.sealing.records import opened
from registry.storage.reads.pool import Row

OPERATIONS: Mapping[str, str] = {"n": "new", "c": "changed", "d": "deleted", "m": "marked"}
MARKS = ("disputed_since", "repaired_at", "withdrawn_at")


def entry(row: Row, dataset: str, grant: Grant, view: View) -> dict[str, Any] | None:
    """One change of the feed as its reader gets it; None where it is none of the reader's business."""
    operation = _operation(row, grant)
    if operation is None:
        return None
    left = operation == "deleted"
    found = {
        "id": f"{row['xid']}-{row['seq']}",
        "dataset": dataset,
        "key": row["key"],
        "entity": None if left else row["entity"],
        "operation": operation,
        "version": row["seq"],
        "at": row["at"],
        "connector": row["connector"],
        "batch": row["batch_id"],
        "body": None if left else body(row, view),
    }
    return found if left else with_marks(with_stale(found, row, view), row)


def tells(row: Row, grant: Grant) -> bool:
    """Whether a reader learns of a change at all."""
    return _operation(row, grant) is not None


def _operation(row: Row, grant: Grant) -> str | None:
    """What happened to a record, seen from among those that the grant covers."""
    told = OPERATIONS[row["operation"]]
    if not grant.rows:
        return told
    if _covers(grant, row["whole"]):
        came = told == "changed" and not _covers(grant, row["before"])
        return "new" if came else told
    return "deleted" if _covers(grant, row["before"]) else None


def _covers(grant: Grant, text: str | None) -> bool:
    return text is not None and grant.has_row(orjson.loads(text))


def body(row: Row, view: View) -> orjson.Fragment | dict[str, Any] | None:
    """What a grant shows of a record; as the database wrote it where that is everything.

    What is personal is opened only for a grant that names some of it. Raises PersonalKeysError.
    """
    if row["body"] is None:
        return None
    if view.is_everything:
        return orjson.Fragment(row["body"])
    stored = orjson.loads(row["body"])
    return view.of(opened(stored, row["personal"], row["dataset_id"], row["key"]) if view.is_clear else stored)


def with_marks(found: dict[str, Any], row: Row) -> dict[str, Any]:
    """What stands beside a record, if anything does."""
    marks = {name: row[name] for name in MARKS if row[name] is not None}
    return {**found, "marks": marks} if marks else found


def with_stale(found: dict[str, Any], row: Row, view: View) -> dict[str, Any]:
    """Whether what its source now has in a record's place was refused, if it was."""
    if row["stale_since"] is not None:
        reasons = itertools.chain.from_iterable(orjson.loads(row["stale_reasons"]))
        found["stale"] = {"since": row["stale_since"], "reasons": [each for each in reasons if _may_say(each, view)]}
    return found


def _may_say(reason: Mapping[str, Any], view: View) -> bool:
    """Whether why a record was refused speaks of no field that is not granted."""
    top = str(reason.get("pointer", "")).removeprefix("/").partition("/")[0]
    return view.fields is None or top in view.fields
