"""What is answered: rows of the registry as JSON. Bodies of records pass through as the database wrote them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from registry.domain.grants.projection import View
from registry.storage.reads.datasets import DatasetState, SourceState
from registry.storage.reads.pool import Row

OPERATIONS = {"n": "new", "c": "changed", "d": "deleted", "m": "marked"}
_MARKS = ("disputed_since", "repaired_at", "withdrawn_at")


def answer(content: Any, *, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """JSON, times in UTC."""
    return Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), status, headers, "application/json")


def now() -> datetime:
    """The time for which a read of what is current speaks; taken before the read."""
    return datetime.now(UTC)


def source(state: SourceState, at: datetime) -> dict[str, Any]:
    """One connector, and how old what it brought is."""
    age = None if state.read_at is None else max(0, round((at - state.read_at).total_seconds()))
    promised = None if state.freshness is None else round(state.freshness.total_seconds())
    return {
        "connector": state.connector,
        "department": state.department,
        "read_at": state.read_at,
        "age_seconds": age,
        "freshness_seconds": promised,
        "late": promised is not None and (age is None or age > promised),
    }


def sources(dataset: DatasetState, at: datetime) -> list[dict[str, Any]]:
    """Every connector of a dataset, and how old its data is."""
    return [source(state, at) for state in dataset.sources]


def dataset_summary(dataset: DatasetState, at: datetime) -> dict[str, Any]:
    """A dataset in the list."""
    ages = [state.read_at for state in dataset.sources if state.read_at is not None]
    oldest = min(ages) if ages and len(ages) == len(dataset.sources) else None
    return {
        "dataset": dataset.name,
        "title": {"zh": dataset.title_zh, "en": dataset.title_en},
        "department": dataset.department,
        "sharing": dataset.sharing,
        "schema_reference": dataset.schema,
        "key": list(dataset.key),
        "entity_field": dataset.entity_field,
        "records": sum(state.records for state in dataset.sources),
        "oldest_read_at": oldest,
        "registered_at": dataset.registered_at,
        "sources": sources(dataset, at),
    }


def record(row: Row, view: View) -> dict[str, Any]:
    """One version of a record, as far as a grant shows it.

    ``stale`` is there only if what its source now has in its place was refused, ``marks`` only if something stands
    beside it.
    """
    found = {
        "key": row["key"],
        "entity": row["entity"],
        "version": row["version"],
        "valid_from": row["valid_from"],
        "valid_to": row["valid_to"],
        "connector": row["connector"],
        "batch": row["batch_id"],
        "body": _body(row, view),
    }
    return _with_marks(_with_stale(found, row, view), row)


def change(row: Row, names: Mapping[int, str], view: View) -> dict[str, Any]:
    """One entry of the change feed, as far as a grant shows it."""
    found = {
        "id": f"{row['xid']}-{row['seq']}",
        "dataset": names[row["dataset_id"]],
        "key": row["key"],
        "entity": row["entity"],
        "operation": OPERATIONS[row["operation"]],
        "version": row["seq"],
        "at": row["at"],
        "connector": row["connector"],
        "batch": row["batch_id"],
        "body": _body(row, view),
    }
    return _with_marks(_with_stale(found, row, view), row)


def etag(row: Row) -> str:
    """Changes with the version, and with what is said about it. Weak: the age of the data is not in it."""
    said = [row["stale_since"], *(row[name] for name in _MARKS)]
    parts = ["" if moment is None else f"{int(moment.timestamp() * 1_000_000)}" for moment in said]
    return f'W/"{"-".join([str(row["version"]), *parts]).rstrip("-")}"'


def plain(row: Row, *, json_columns: Sequence[str] = ()) -> dict[str, Any]:
    """A row as it is, its JSON columns passed through."""
    return {
        name: orjson.Fragment(value) if name in json_columns and value is not None else value
        for name, value in row.items()
    }


def _body(row: Row, view: View) -> orjson.Fragment | dict[str, Any] | None:
    if row["body"] is None:
        return None
    return orjson.Fragment(row["body"]) if view.is_everything else view.of(orjson.loads(row["body"]))


def _with_marks(found: dict[str, Any], row: Row) -> dict[str, Any]:
    marks = {name: row[name] for name in _MARKS if row[name] is not None}
    return {**found, "marks": marks} if marks else found


def _with_stale(found: dict[str, Any], row: Row, view: View) -> dict[str, Any]:
    if row["stale_since"] is not None:
        reasons: Iterable[Any] = itertools.chain.from_iterable(orjson.loads(row["stale_reasons"]))
        found["stale"] = {"since": row["stale_since"], "reasons": [each for each in reasons if _may_say(each, view)]}
    return found


def _may_say(reason: Mapping[str, Any], view: View) -> bool:
    """Whether why a record was refused speaks of no field that is not granted."""
    top = str(reason.get("pointer", "")).removeprefix("/").partition("/")[0]
    return view.fields is None or top in view.fields
