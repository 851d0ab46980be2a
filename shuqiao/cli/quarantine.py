"""``shuqiao quarantine``: records that were refused, why, and whether the department has corrected them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from shuqiao.cli.options import AsJson, AsJsonLines, examples

PAGE = 500

app = typer.Typer(
    help="退回数据 Refused records 隔离: who has to correct what, and what came of it.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao quarantine list --department tax",
        "shuqiao quarantine show 42",
        "shuqiao quarantine retry tax.registration",
    ),
)


@app.command(
    "list",
    epilog=examples(
        "shuqiao quarantine list --department market-supervision",
        "shuqiao quarantine list --connector tax.registration --all --json",
    ),
)
def list_(
    department: Annotated[str | None, typer.Option(help="部门 Of this department.", show_default=False)] = None,
    connector: Annotated[str | None, typer.Option(help="连接器 Of this connector.", show_default=False)] = None,
    dataset: Annotated[str | None, typer.Option(help="数据集 Of this dataset.", show_default=False)] = None,
    everything: Annotated[  # noqa: FBT002
        bool, typer.Option("--all/--open", help="全部或仅未更正 Closed ones too, or only those still open.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 50,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """列出退回数据 Refused records, the newest first: each once, however often it was seen."""
    from shuqiao.cli import output, registry  # noqa: PLC0415

    found, more = registry.read(
        lambda pool: _found(pool, department, connector, dataset, None if everything else True, limit)
    )
    if as_json:
        for each in found:
            output.json_line(each)
    else:
        output.table(
            "退回数据 Quarantine",
            [
                "#",
                "连接器 connector",
                "行 row",
                "原因 why",
                "首次 first seen",
                "最近 last seen",
                "次数 times",
                "状态 state",
            ],
            (
                (each["id"], each["connector"], each["row_id"], _why(each))
                + (each["first_seen"], each["last_seen"], each["times_seen"], each["closed_because"] or "open")
                for each in found
            ),
            right=["#", "次数 times"],
            empty="没有退回数据 nothing in quarantine",
        )
    if more:
        output.note(f"还有更多，用 --limit 显示 there are more than {limit}: give a greater --limit")


@app.command(epilog=examples("shuqiao quarantine show 42", "shuqiao quarantine show 42 --json"))
def show(
    refusal: Annotated[int, typer.Argument(metavar="ID", min=1, help="编号 The number of the refused record.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """查看退回数据 One refused record: the row as the department sent it (personal values masked), and every reason."""
    from shuqiao.cli import output  # noqa: PLC0415

    found = _one(refusal)
    if as_json:
        output.json_document(found)
        return
    names = ("connector", "dataset", "department", "row_id", "key", "place", "first_seen", "last_seen", "times_seen")
    more = ("closed_at", "closed_because")
    output.pairs(f"退回数据 Refused record {refusal}", {name: found[name] for name in (*names, *more)})
    output.table(
        "原因 Reasons",
        ["字段 field", "规则 rule", "原因", "why"],
        ((each["pointer"], each["rule"], each["zh"], each["en"]) for each in found["reasons"]),
    )
    output.table("原始数据 The row", ["列 column", "值 value"], found["raw"].items())
    if found["closed_at"] is None:
        output.note(f"更正数据源后 once it is corrected at the source: shuqiao quarantine retry {refusal}")


@app.command(
    epilog=examples("shuqiao quarantine retry tax.registration", "shuqiao quarantine retry 42 --json"),
)
def retry(
    what: Annotated[
        str, typer.Argument(metavar="CONNECTOR|ID", help="连接器或编号 A connector, or the number of a refused record.")
    ],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """重新读取 Read the connector's source again as a whole, publish what has been corrected, and say what closed.

    It is a full run like any other: what else has changed is published too, and gates may hold it. With an ID the exit
    code is 1 if that record is still refused.
    """
    from shuqiao.cli import failures, lookup, output, registry, reports, running  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415

    ticket = _one(int(what)) if what.isdecimal() else None
    manifest = lookup.connector(ticket["connector"] if ticket else what)
    url = registry.url()
    if ticket and ticket["closed_at"] is not None:
        raise failures.Failure(
            ExitCode.FAILED,
            f"退回数据 {what} 已关闭 refused record {what} is closed already: {ticket['closed_because']}",
            f"shuqiao quarantine show {what}",
        )
    try:
        report = running.run(url, manifest, full=True)
    except Exception as error:
        raise failures.explained(error, place=manifest.connector) from error
    outcome = registry.read(lambda pool: _outcome(pool, manifest.connector, report.batch_id))
    if as_json:
        output.json_document({"batch": reports.as_document(report), **outcome})
    else:
        _show_outcome(report, outcome)
    reports.leave_unless_published([report])
    if ticket and any(each["id"] == ticket["id"] for each in outcome["open"]):
        raise typer.Exit(ExitCode.FAILED)


def _show_outcome(report: Any, outcome: dict[str, Any]) -> None:
    from shuqiao.cli import output, reports  # noqa: PLC0415

    reports.show([report])
    output.table(
        f"已关闭 Closed ({len(outcome['closed'])})",
        ["#", "行 row", "结果 because"],
        ((each["id"], each["row_id"], each["closed_because"]) for each in outcome["closed"]),
        empty="没有关闭任何退回数据 nothing closed",
    )
    if outcome["open"]:
        output.table(
            f"仍未更正 Still open ({len(outcome['open'])})",
            ["#", "行 row", "原因 why"],
            ((each["id"], each["row_id"], _why(each)) for each in outcome["open"]),
        )


async def _outcome(pool: Any, connector: str, batch: int) -> dict[str, Any]:
    closed = await pool.rows(
        "SELECT f.id, f.row_id, f.key, f.closed_because FROM registry.refusal f"
        " JOIN registry.connector c ON c.id = f.connector_id"
        " WHERE c.name = $1 AND f.closed_batch_id = $2 ORDER BY f.id",
        connector,
        batch,
    )
    still, _ = await _found(pool, None, connector, None, True, 1 << 31)  # noqa: FBT003
    hidden = _hidden(connector)
    return {
        "closed": [_identified(dict(row), hidden) for row in closed],
        "open": [{name: each[name] for name in ("id", "row_id", "key", "reasons")} for each in still],
    }


async def _found(
    pool: Any,
    department: str | None,
    connector: str | None,
    dataset: str | None,
    is_open: bool | None,  # noqa: FBT001
    limit: int,
) -> tuple[list[dict[str, Any]], bool]:
    from registry.storage.reads import refusals  # noqa: PLC0415

    found: list[Any] = []
    before: int | None = None
    while len(found) <= limit:
        size = min(PAGE, limit + 1 - len(found))
        page = await refusals.page(
            pool,
            before=before,
            limit=size,
            department=department,
            connector=connector,
            dataset=dataset,
            is_open=is_open,
        )
        found += page
        if len(page) < size:
            break
        before = page[-1]["id"]
    hidden = {name: _hidden(name) for name in {row["connector"] for row in found}}
    return [_as_document(row, hidden[row["connector"]]) for row in found[:limit]], len(found) > limit


def _one(refusal: int) -> dict[str, Any]:
    import orjson  # noqa: PLC0415

    from registry.storage.reads import refusals  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    row = registry.read(lambda pool: refusals.one(pool, refusal))
    if row is None:
        raise usage(f"没有退回数据 {refusal} there is no refused record {refusal}", "shuqiao quarantine list")
    kept = {name: value for name, value in row.items() if name not in ("personal", "dataset_id")}
    return _as_document(kept, _hidden(row["connector"])) | {"raw": _masked(orjson.loads(row["raw"]), row["connector"])}


def _as_document(row: Any, hidden: set[str]) -> dict[str, Any]:
    import orjson  # noqa: PLC0415

    return _identified(dict(row) | {"reasons": orjson.loads(row["reasons"])}, hidden)


def _hidden(connector: str) -> set[str]:
    """What a connector's records and rows are known by, where that is a personal value."""
    from shuqiao.cli.personal import personal_identity  # noqa: PLC0415

    row, key = personal_identity(connector)
    return ({"row_id"} if row else set()) | ({"key"} if key else set())


def _identified(found: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
    from schemas.masking import mask  # noqa: PLC0415

    return {name: mask(value) if name in hidden and value else value for name, value in found.items()}


def _masked(raw: dict[str, Any], connector: str) -> dict[str, Any]:
    """Without a manifest nobody knows which columns are personal: then all are masked."""
    from connectors.errors import ManifestError  # noqa: PLC0415
    from registry.sealing.records import masked_row  # noqa: PLC0415
    from shuqiao import manifests  # noqa: PLC0415
    from shuqiao.personal_columns import columns_of  # noqa: PLC0415

    try:
        public = columns_of(manifests.one(connector)).public(raw)
    except (KeyError, ManifestError):
        public = []
    return masked_row(raw, public)


def _why(found: dict[str, Any]) -> str:
    return "\n".join(f"{each['pointer']} {each['zh']} {each['en']}".strip() for each in found["reasons"])
