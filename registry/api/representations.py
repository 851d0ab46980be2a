"""What is answered: rows of the registry as JSON. Bodies of records pass through as the database wrote them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from registry.api.licences.published import is_known
from registry.delivery import feed
from registry.domain.grants.projection import View
from registry.storage.reads.datasets import DatasetState, SourceState
from registry.storage.reads.pool import Row


def answer(content: Any, *, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """JSON, times in UTC. Of when it is stands in its ``as_of``, or else above it."""
    said = headers or {}
    if AS_OF not in said and "as_of" not in content:
        said = {**said, **spoken(now())}
    return Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), status, said, "application/json")


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


AS_OF, READ_AT = "Shuqiao-As-Of", "Shuqiao-Read-At"
_MOMENT = {"type": "string", "format": "date-time"}
AGE: Mapping[str, Any] = {
    AS_OF: {"description": "The time for which the answer speaks 数据时点", "schema": _MOMENT},
    READ_AT: {
        "description": "When the source that was not read for longest was last read to the end 来源最早读取时间",
        "schema": _MOMENT,
    },
}
"""How the OpenAPI description has the headers of :func:`spoken`."""


def age(*datasets: DatasetState) -> dict[str, str]:
    """The header that says when the data was last read at its sources, for answers whose body cannot."""
    read = [state.read_at for dataset in datasets for state in dataset.sources if state.read_at is not None]
    return {READ_AT: _utc(min(read))} if read else {}


def spoken(at: datetime, *datasets: DatasetState) -> dict[str, str]:
    """The headers that say for when an answer speaks and how old its data is, where its body cannot."""
    return {AS_OF: _utc(at), **age(*datasets)}


def _utc(moment: datetime) -> str:
    """As bodies have their times."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
        "body": feed.body(row, view),
    }
    return feed.with_marks(feed.with_stale(found, row, view), row)


def etag(row: Row, shown_by: str) -> str:
    """Changes with the version, with what is said about it, and with what it is shown by: grant and schema.

    Weak: the age of the data is not in it.
    """
    said = [row["stale_since"], *(row[name] for name in feed.MARKS)]
    parts = ["" if moment is None else f"{int(moment.timestamp() * 1_000_000)}" for moment in said]
    return f'W/"{shown_by}-{"-".join([str(row["version"]), *parts]).rstrip("-")}"'


def tag(*said: Any) -> str:
    """A weak tag of an answer: it changes with what is said, and the time at which it is said is none of it."""
    return f'W/"{hashlib.sha256(orjson.dumps(said)).hexdigest()[:32]}"'


def without_age(summaries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Datasets without the seconds since they were read, for their tag."""
    return [{**each, "sources": [{**source, "age_seconds": None} for source in each["sources"]]} for each in summaries]


UNCHANGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {READ_AT: AGE[READ_AT]}},
    304: {"description": "Not changed 未变化", "headers": {READ_AT: AGE[READ_AT]}},
}
"""How the OpenAPI description has an answer with records or datasets that may be 304."""


def known_or(
    mark: str, if_none_match: str | None, datasets: Iterable[DatasetState], content: Callable[[], Any]
) -> Response:
    """304 for whoever has what the tag stands for, else the content; both say how old the data of the datasets is."""
    headers = {"ETag": mark, **age(*datasets)}
    if is_known(mark, if_none_match):
        return Response(status_code=304, headers=headers)
    return answer(content(), headers=headers)


def plain(row: Row, *, json_columns: Sequence[str] = ()) -> dict[str, Any]:
    """A row as it is, its JSON columns passed through."""
    return {
        name: orjson.Fragment(value) if name in json_columns and value is not None else value
        for name, value in row.items()
    }
