"""``shuqiao records``: records of a dataset, as they are or as they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from shuqiao.cli.options import AsJsonLines, with_examples

PAGE = 500
WIDEST = 8
"""So many fields of a record stand in a table; ``--fields`` chooses others."""

AsOf = Annotated[
    str | None,
    typer.Option(
        help="查询该时刻的数据 As it was at this time: 2026-11-01, or 2026-11-01T08:00:00+08:00.", show_default=False
    ),
]
Unmasked = Annotated[
    bool, typer.Option("--unmasked", help="显示完整的个人信息 Show personal values whole instead of masked.")
]


@with_examples(
    "shuqiao records legal_entity --limit 5",
    "shuqiao records legal_entity status=active --fields uscc,name,established_on",
    "shuqiao records legal_entity --as-of 2026-11-01 --json",
)
def records(
    dataset: Annotated[str, typer.Argument(help="数据集 The dataset; `shuqiao datasets` lists them.")],
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE", help="筛选 Filters on top-level fields: status=active."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="主键 The record of this key.", show_default=False)] = None,
    entity: Annotated[
        str | None, typer.Option(help="统一社会信用代码 Records about this entity.", show_default=False)
    ] = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 20,
    fields: Annotated[
        str | None, typer.Option(help="表中的字段 Fields of the table: uscc,name,status.", show_default=False)
    ] = None,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """查询记录 Records of a dataset, in the order of their keys; personal values are masked."""
    from shuqiao.cli import output, registry  # noqa: PLC0415

    then = moment(as_of)

    async def found_in(pool: Any) -> tuple[Any, list[dict[str, Any]], bool]:
        state = await registry.dataset_of(pool, dataset)
        return state, *await _found(pool, state, filters or (), key, entity, then, limit)

    state, found, more = registry.read(found_in)
    rows = [shown(each, state.schema, unmasked=unmasked) for each in found]
    if as_json:
        for row in rows:
            output.json_line(row)
    else:
        show_records(f"{state.name}  {state.title_zh} {state.title_en}", rows, fields)
    if more:
        output.note(f"还有更多，用 --limit 显示 there are more than {limit}: give a greater --limit")


def moment(text: str | None) -> datetime | None:
    """A time that a person wrote; without an offset it is meant in the hub's time zone. Raises Failure."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from shuqiao.cli.failures import usage  # noqa: PLC0415
    from shuqiao.settings import read  # noqa: PLC0415

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise usage(
            f"无法识别的时间 {text!r} is no time", "expected 2026-11-01 or 2026-11-01T08:00:00+08:00", place="--as-of"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(read().timezone))
    if found > datetime.now(UTC):
        raise usage("时间在将来 this time is yet to come", "只能查询过去 give a time that has passed", place="--as-of")
    return found.astimezone(UTC)


def show_records(title: str, rows: Sequence[dict[str, Any]], fields: str | None = None) -> None:
    """Records as a table for people."""
    from shuqiao.cli import output  # noqa: PLC0415

    names = [name.strip() for name in fields.split(",")] if fields else _first_fields(rows)
    stale = any("stale" in row for row in rows)
    output.table(
        title,
        ["主键 key", *names, *(["最新数据被退回 newer data refused since"] if stale else [])],
        (
            (row["key"], *((row["body"] or {}).get(name) for name in names))
            + ((row["stale"]["since"] if "stale" in row else None,) if stale else ())
            for row in rows
        ),
        empty="没有记录 no records",
    )


def _first_fields(rows: Sequence[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name, value in (row["body"] or {}).items() if value != row["key"])
    return list(names)[:WIDEST]


async def _found(
    pool: Any,
    state: Any,
    given: Sequence[str],
    key: str | None,
    entity: str | None,
    then: datetime | None,
    limit: int,
) -> tuple[list[dict[str, Any]], bool]:
    from registry.storage.reads import records as reads  # noqa: PLC0415
    from shuqiao.cli.filters import parsed  # noqa: PLC0415

    wanted = parsed(given, state.schema)
    found: list[Any] = []
    after: str | None = None
    while len(found) <= limit:
        size = min(PAGE, limit + 1 - len(found))
        page = await reads.page(
            pool, state.id, after=after, limit=size, as_of=then, entity=entity, key=key, filters=wanted
        )
        found += page
        if len(page) < size:
            break
        after = page[-1]["key"]
    return found[:limit], len(found) > limit


def shown(row: Any, reference: str, *, unmasked: bool) -> dict[str, Any]:
    """A version of a record as the API represents it, personal values masked unless asked for."""
    import orjson  # noqa: PLC0415

    from registry.api.representations import record  # noqa: PLC0415
    from registry.domain.grants.projection import EVERYTHING  # noqa: PLC0415
    from shuqiao.cli.personal import masked_record  # noqa: PLC0415

    if row["body"] is None:  # it was repaired or withdrawn: what stands beside it is all that may be shown
        return record(row, EVERYTHING)
    body = orjson.loads(row["body"])
    return record(row, EVERYTHING) | {"body": body if unmasked else masked_record(body, reference)}
