"""How many discrepancies each department had, day by day: ``shuqiao credit discrepancies --counts``."""

from __future__ import annotations

from datetime import UTC, date, datetime


def show(department: str | None, since: str | None, until: str | None, *, as_json: bool) -> None:
    """Counts of some days, both ends included. Raises Failure of a day that is none, or of too many."""
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from registry.storage.reads import credit_counts  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    days = credit_counts.period(_day(since, "--since"), _day(until, "--until"), china_day(datetime.now(UTC)))
    if days is None:
        expected = f"expected at most {credit_counts.MOST_DAYS} days, the first not after the last"
        raise usage(f"期间有误 got {since} to {until}", expected, place="--since")
    rows = registry.read(lambda pool: credit_counts.discrepancies(pool, *days, department))
    if as_json:
        for row in rows:
            output.json_line(dict(row))
        return
    columns = ["日期 day", "部门 department", "字段 field", "新增 opened", "消除 closed", "未解决 open"]
    output.table(
        f"数据差异 Discrepancies {days[0]} – {days[1]}",
        columns,
        ([*row] for row in rows),
        right=columns[3:],
        empty="期间没有差异 none in these days",
    )


def _day(text: str | None, option: str) -> date | None:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise usage(f"无法识别的日期 {text!r} is no day", "expected 2026-11-01", place=option) from None
