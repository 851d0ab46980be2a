"""What the upper-level platform is told of permits and penalties 双公示: a page of decisions, in either edition."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from itertools import groupby
from typing import Any

import orjson

from registry.api.credit.answers import Datasets, sources_of
from registry.domain.credit.double_publicity import (
    Format,
    Table,
    TableName,
    default_formats,
    exchange_row,
    not_held,
)
from registry.domain.credit.marks import CHINA, Mark
from registry.domain.credit.publication import Publish, Version, Withdraw, publication
from registry.domain.credit.readers import without_identifiers
from registry.sealing.records import opened
from registry.storage.reads import double_publicity
from registry.storage.reads.pool import Pool, Row

CSV = "text/csv"
_ABOUT_WITHDRAWALS = ("撤回原因代码", "撤回原因", "撤回起始日", "撤回截止日", "逾期天数")
"""Columns of our own beside those that identify the decision."""


async def page(
    pool: Pool,
    datasets: Datasets,
    edition: str,
    table_name: TableName,
    *,
    since: date | None,
    after: str | None,
    limit: int,
    at: datetime,
) -> dict[str, Any]:
    """What to publish and what to withdraw among ``limit`` records, by key; ``last``: the key to go on after, or None.

    Raises KeyError for an edition that there is not, LookupError where the registry does not hold the dataset.
    """
    format_ = default_formats()[edition]
    table = format_.tables[table_name]
    if table.dataset not in datasets:
        raise LookupError(table.dataset)
    dataset = datasets[table.dataset]
    moment = None if since is None else datetime.combine(since, time(), CHINA)
    rows = await double_publicity.page(pool, dataset.id, after=after, limit=limit + 1, since=moment)
    groups = [(key, list(group)) for key, group in groupby(rows, key=lambda row: row["key"])]
    publish: list[dict[str, Any]] = []
    withdraw: list[dict[str, Any]] = []
    for key, versions in groups[:limit]:
        told = publication(
            dataset.name, dataset.schema, [_version(row, dataset.id) for row in versions], _mark(versions[0]), at,
            since=moment, touched=versions[0]["touched"],
        )  # fmt: skip
        if isinstance(told, Publish):
            publish.append(_published(format_, table, key, told))
        elif isinstance(told, Withdraw):
            withdraw.append(_withdrawn(format_, table, key, told))
    return {
        "as_of": at,
        "sources": sources_of(datasets, [dataset.name], at),
        "edition": edition,
        "table": table_name,
        "dataset": dataset.name,
        "since": since,
        "columns": [column.name for column in table.columns],
        "not_held": list(not_held(table, dataset.schema)),
        "publish": publish,
        "withdraw": withdraw,
        "last": groups[limit - 1][0] if len(groups) > limit else None,
    }


def as_csv(said: Mapping[str, Any], *, withdrawals: bool = False, head: bool = True) -> str:
    """A page's decisions, or its withdrawals, as CSV (RFC 4180) with the names of the columns in the first line."""
    if withdrawals:
        table = default_formats()[said["edition"]].tables[said["table"]]
        names: Sequence[str] = [*table.identity, *_ABOUT_WITHDRAWALS]
        rows: Iterable[Iterable[Any]] = (
            [*each["identity"].values(), each["reason"]["code"], each["reason"]["zh"], each["since"],
             each["last_day"], each["days_late"]]
            for each in said["withdraw"]
        )  # fmt: skip
    else:
        names = said["columns"]
        rows = (each["columns"].values() for each in said["publish"])
    written = io.StringIO()
    writer = csv.writer(written)
    if head:
        writer.writerow(names)
    writer.writerows(rows)
    return written.getvalue()


def _published(format_: Format, table: Table, key: str, told: Publish) -> dict[str, Any]:
    row = exchange_row(format_, table, told.shown, told.version_time, disputed=told.disputed)
    held = {column.field for column in table.columns}
    return {
        "key": without_identifiers(key),
        "columns": dict(row.values),
        "problems": [{"column": each.column, "problem": each.problem} for each in row.problems],
        "left_behind": sorted(name for name in told.shown if name not in held),
        "disputed": told.disputed,
    }


def _withdrawn(format_: Format, table: Table, key: str, told: Withdraw) -> dict[str, Any]:
    row = exchange_row(format_, table, told.shown, told.version_time, disputed=False)
    return {
        "key": without_identifiers(key),
        "identity": {name: row.values[name] for name in table.identity},
        "reason": {"code": told.reason.code, "zh": told.reason.zh, "en": told.reason.en},
        "since": told.since,
        "last_day": told.last_day,
        "days_late": told.days_late,
    }


def _version(row: Row, dataset: int) -> Version:
    body = opened(orjson.loads(row["body"]), row["personal"], dataset, row["key"])
    return Version(body, row["valid_from"], row["valid_to"])


def _mark(row: Row) -> Mark:
    return Mark(row["disputed_since"], row["repaired_at"], row["withdrawn_at"])
