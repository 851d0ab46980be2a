"""``shuqiao credit export`` and ``quality``: permits and penalties for the upper-level platform 双公示上报."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shuqiao.cli.options import AsJsonLines, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.domain.credit.double_publicity import TableName
    from registry.storage.reads.credit_quality import By

TABLES = ("penalties", "permits")
BY = ("department", "authority")
_PAGE = 1000


def add_to(app: typer.Typer) -> None:
    """The commands of this module among those of ``shuqiao credit``."""
    app.command(
        epilog=examples(
            "shuqiao credit export penalties --edition new --since 2026-11-22 --output penalties.csv",
            "shuqiao credit export penalties --edition new --since 2026-11-22 --withdrawals",
            "shuqiao credit export permits --edition old --json",
        )
    )(export)
    app.command(
        epilog=examples(
            "shuqiao credit quality",
            "shuqiao credit quality --department credit --by authority --json",
            "shuqiao credit quality --department credit --decided-penalties 412",
        )
    )(quality)


def export(
    table: Annotated[str, typer.Argument(help="表 penalties or permits.")],
    edition: Annotated[str, typer.Option(help="字段集版本 The columns: new (in force) or old (of 2015).")] = "new",
    since: Annotated[
        str | None,
        typer.Option(help="起始日 Only what became public, changed or ended from this day on.", show_default=False),
    ] = None,
    withdrawals: Annotated[  # noqa: FBT002
        bool, typer.Option("--withdrawals", help="撤回 As CSV what is to be withdrawn; needs --since.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="文件 Into this file.", dir_okay=False, show_default=False)
    ] = None,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """双公示上报 What the upper-level platform is to publish and to withdraw, as CSV; only what the public may see."""
    from registry.api.credit import double_publicity_answers as answers  # noqa: PLC0415
    from shuqiao.cli import output as printed  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    day = _asked(table, edition, since)
    if withdrawals and day is None:
        raise usage("撤回须指明起始日 withdrawals need a first day", "add --since 2026-11-22", place="--since")
    counted: Counter[str] = Counter()
    pages = _pages(cast("TableName", table), edition, day)
    if as_json:
        for page in pages:
            _count(counted, page)
            for action in ("publish", "withdraw"):
                for each in page[action]:
                    printed.json_line({"action": action, **each})
    else:
        file = sys.stdout if output is None else output.open("w", encoding="utf-8", newline="")
        try:
            for number, page in enumerate(pages):
                _count(counted, page)
                file.write(answers.as_csv(page, withdrawals=withdrawals, head=number == 0))
        finally:
            if output is not None:
                file.close()
    _tell(counted)


def quality(
    department: Annotated[str | None, typer.Option(help="部门 Of this department.", show_default=False)] = None,
    by: Annotated[str, typer.Option(help="分组 Per department, or also per deciding authority.")] = "department",
    decided_penalties: Annotated[
        int | None, typer.Option(min=0, help="应公示处罚数 By its own ledger, for the coverage.", show_default=False)
    ] = None,
    decided_permits: Annotated[
        int | None, typer.Option(min=0, help="应公示许可数 By its own ledger, for the coverage.", show_default=False)
    ] = None,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """双公示质量 Per department: how many decisions, how late, what contradicts itself, what was withdrawn late."""
    from registry.api.credit import quality_answers  # noqa: PLC0415
    from registry.storage.reads import datasets  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if by not in BY:
        raise usage(f"无法按 {by} 分组 cannot group by {by}", f"expected {' or '.join(BY)}", place="--by")
    given: dict[TableName, int | None] = {"penalties": decided_penalties, "permits": decided_permits}
    decided = {name: number for name, number in given.items() if number is not None}
    if decided and (department is None or by != "department"):
        raise usage(
            "应公示数须指明部门 a ledger's number needs its department", "add --department", place="--department"
        )

    async def read(pool: Any) -> dict[str, Any]:
        known = await datasets.all_datasets(pool)
        return await quality_answers.quality(
            pool, known, department=department, by=cast("By", by), decided=decided, at=datetime.now(UTC)
        )

    said = registry.read(read)
    if as_json:
        for each in said["quality"]:
            output.json_line(each)
        return
    columns = {
        "部门 department": "department",
        "机关 authority": "authority",
        "表 table": "table",
        "已归集 records": "records",
        "覆盖率 coverage": "coverage",
        "逾期 late": "late",
        "逾期率 share": "late_share",
        "中位天数 median": "median_days_late",
        "最长天数 longest": "longest_days_late",
        "金额不符 amounts": "amounts_contradicting",
        "缺代码 codes": "missing_source_code",
        "未撤回 open": "not_withdrawn",
        "逾期撤回 withdrawn": "withdrawn_late",
    }
    if by == "department":
        del columns["机关 authority"]
    cells = ([_figure(name, each[name]) for name in columns.values()] for each in said["quality"])
    title = f"双公示质量 Quality: within {said['publish_within_working_days']} working days"
    output.table(title, [*columns], cells, right=[*columns][2:], empty="没有双公示数据 no permits or penalties here")


def _figure(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in {"late_share", "coverage"}:
        return f"{value:.1%}"
    return f"{value:g}" if isinstance(value, float) else value


def _asked(table: str, edition: str, since: str | None) -> date | None:
    from registry.domain.credit.double_publicity import default_formats  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if table not in TABLES:
        raise usage(f"没有表 {table} no such table", f"expected {' or '.join(TABLES)}", place="TABLE")
    if edition not in default_formats():
        known = ", ".join(default_formats())
        raise usage(f"没有版本 {edition} no such edition", f"expected one of {known}", place="--edition")
    try:
        return None if since is None else date.fromisoformat(since)
    except ValueError:
        raise usage(f"无法识别的日期 {since!r} is no day", "expected 2026-11-22", place="--since") from None


def _pages(table: TableName, edition: str, since: date | None) -> Iterator[dict[str, Any]]:
    """Page after page, each read by itself: an export holds no more than one in memory. Raises Failure."""
    from registry.api.credit import double_publicity_answers as answers  # noqa: PLC0415
    from registry.storage.reads import datasets  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    after: str | None = None

    async def read(pool: Any) -> dict[str, Any]:
        known = await datasets.all_datasets(pool)
        return await answers.page(
            pool, known, edition, table, since=since, after=after, limit=_PAGE, at=datetime.now(UTC)
        )

    while True:
        try:
            page = registry.read(read)
        except LookupError as error:
            cause = f"登记库没有数据集 the registry does not hold {error}"
            raise Failure(ExitCode.FAILED, cause, "shuqiao datasets") from None
        yield page
        after = page["last"]
        if after is None:
            return


def _count(counted: Counter[str], page: dict[str, Any]) -> None:
    counted["publish"] += len(page["publish"])
    counted["withdraw"] += len(page["withdraw"])
    counted["deadlines"] += sum(each["last_day"] is not None for each in page["withdraw"])
    counted["late"] += sum(each["days_late"] > 0 for each in page["withdraw"])
    for each in page["publish"]:
        counted["disputed"] += each["disputed"]
        counted["incomplete"] += bool(each["problems"])
        counted.update(f"problem {problem['column']} {problem['problem']}" for problem in each["problems"])
        counted.update(f"left {name}" for name in each["left_behind"])


def _tell(counted: Counter[str]) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    output.note(f"公示 to publish: {counted['publish']}；异议中 disputed: {counted['disputed']}")
    output.note(
        f"撤回 to withdraw: {counted['withdraw']}；其中决定变更或撤销 changed or revoked: {counted['deadlines']}，"
        f"逾期 late: {counted['late']}"
    )
    if counted["incomplete"]:
        output.note(f"平台可能退回 the platform may refuse: {counted['incomplete']}")
    for prefix, words in (("problem ", "  "), ("left ", "未承载字段 without a column: ")):
        for name in sorted(name for name in counted if name.startswith(prefix)):
            output.note(f"{words}{name.removeprefix(prefix)}: {counted[name]}")
