"""``shuqiao batches``: what runs brought, and the decision about those that a gate held."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

STATES = ("pulling", "held", "published", "superseded", "discarded", "dry_run")

Id = Annotated[int, typer.Argument(metavar="ID", min=1, help="批次号 The batch's number.")]

app = typer.Typer(
    help="批次 What runs of connectors brought; approve or discard those that a gate held. Alone: the newest ones.",
    epilog=examples("shuqiao batches", "shuqiao batches list --state held", "shuqiao batches approve 17"),
)


@app.callback(invoke_without_command=True)
def newest(ctx: typer.Context, as_json: AsJson = False) -> None:  # noqa: FBT002
    """批次 What runs of connectors brought; approve or discard those that a gate held. Alone: the newest ones."""
    if ctx.invoked_subcommand is None:
        _list(None, None, None, 20, as_json=as_json)


@app.command(
    "list", epilog=examples("shuqiao batches list --connector tax.registration", "shuqiao batches list --state held")
)
def list_(
    connector: Annotated[str | None, typer.Option(help="连接器 Of this connector.", show_default=False)] = None,
    department: Annotated[str | None, typer.Option(help="部门 Of this department.", show_default=False)] = None,
    state: Annotated[
        str | None, typer.Option(help=f"状态 In this state: {', '.join(STATES)}.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出批次 Batches, the newest first."""
    _list(connector, department, state, limit, as_json=as_json)


@app.command(epilog=examples("shuqiao batches show 17", "shuqiao batches show 17 --json"))
def show(batch: Id, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看批次 One batch with its parts, and why it was held."""
    from shuqiao.cli import output, registry  # noqa: PLC0415

    found = registry.read(lambda pool: _one(pool, batch))
    if as_json:
        output.json_document(found)
        return
    names = ("connector", "state", "mode", "started_at", "ended_at", "pulled", "accepted", "refused", "duplicates")
    more = ("delete_flags", "new", "changed", "unchanged", "deleted", "approved_by", "superseded_by")
    content = {name: found[name] for name in (*names, *more)}
    for number, reason in enumerate(found["held_reasons"], start=1):
        content[f"暂停原因 held {number}"] = f"{reason['zh']} {reason['en']}"
    output.pairs(f"批次 Batch {found['id']}", content)
    output.table(
        "分片 Parts",
        ["#", "分片 part", "尝试 attempts", "读取 pulled", "通过 accepted", "退回 refused", "缺列 missing columns"],
        (
            (part["number"], part["label"], part["attempts"], part["pulled"], part["accepted"], part["refused"])
            + (", ".join(part["missing_columns"]),)
            for part in found["parts"]
        ),
    )
    if found["state"] == "held":
        output.note(f"决定 decide: shuqiao batches approve {batch}, or: shuqiao batches discard {batch}")


@app.command(epilog=examples("shuqiao batches approve 17 --by 'duty officer'"))
def approve(
    batch: Id,
    by: Annotated[
        str | None,
        typer.Option(help="批准人 Who approves; kept with the batch. Default: the login name.", show_default=False),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """批准发布 Publish a held batch as it is, past the gates that stopped it."""
    from getpass import getuser  # noqa: PLC0415

    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    state = _state(batch)
    if state != "held":
        remedy = f"shuqiao batches publish {batch}" if state == "pulling" else f"shuqiao batches show {batch}"
        raise Failure(
            ExitCode.FAILED, f"批次 {batch} 未被暂停 batch {batch} is {state}, not held: nothing to approve", remedy
        )
    _publish(batch, by or getuser(), as_json=as_json)


@app.command(epilog=examples("shuqiao connectors pull tax.registration", "shuqiao batches publish 17"))
def publish(batch: Id, as_json: AsJson = False) -> None:  # noqa: FBT002
    """发布 Publish a batch that was pulled and waits (shuqiao connectors pull); the gates may hold it."""
    _state(batch)
    _publish(batch, None, as_json=as_json)


@app.command(epilog=examples("shuqiao batches discard 17"))
def discard(batch: Id, as_json: AsJson = False) -> None:  # noqa: FBT002
    """放弃批次 Give up an open or held batch; nothing of it is published, the next run reads the same again."""
    from registry.intake import batches  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry, reports  # noqa: PLC0415

    _state(batch)
    with connect(registry.url()) as connection:
        batches.discard(connection, batch)
        report = batches.report(connection, batch)
    if as_json:
        output.json_document(reports.as_document(report))
    else:
        reports.show([report])


def _publish(batch: int, by: str | None, *, as_json: bool) -> None:
    from shuqiao import ingest  # noqa: PLC0415
    from shuqiao.cli import lookup, output, registry, reports  # noqa: PLC0415

    url = registry.url()
    report = ingest.publish(url, lookup.connector(_connector_of(batch)), batch, approved_by=by)
    if as_json:
        output.json_document(reports.as_document(report))
    else:
        reports.show([report])
    reports.leave_unless_published([report])


def _connector_of(batch: int) -> str:
    return str(_row(batch)["connector"])


def _state(batch: int) -> str:
    return str(_row(batch)["state"])


def _row(batch: int) -> Any:
    from registry.storage.reads import batches as reads  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    return _there(registry.read(lambda pool: reads.one(pool, batch)), batch)


def _there(row: Any, batch: int) -> Any:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if row is None:
        raise usage(f"没有批次 {batch} there is no batch {batch}", "shuqiao batches list")
    return row


def _list(connector: str | None, department: str | None, state: str | None, limit: int, *, as_json: bool) -> None:
    from registry.storage.reads import batches as reads  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if state is not None and state not in STATES:
        raise usage(f"没有这样的状态 {state!r} is no state", f"expected one of {', '.join(STATES)}", place="--state")
    rows = registry.read(
        lambda pool: reads.page(pool, before=None, limit=limit, connector=connector, department=department, state=state)
    )
    found = [_as_document(row) for row in rows]
    if as_json:
        output.json_document(found)
        return
    counts = ("pulled", "accepted", "refused", "new", "changed", "unchanged", "deleted")
    heads = ("读取", "通过", "退回", "新增", "变更", "未变", "删除")
    columns = [f"{zh} {en}" for zh, en in zip(heads, counts, strict=True)]
    output.table(
        "批次 Batches",
        ["#", "连接器 connector", "状态 state", "开始 started", *columns],
        (
            (each["id"], each["connector"], each["state"], each["started_at"], *(each[n] for n in counts))
            for each in found
        ),
        right=["#", *columns],
        empty="没有批次 no batches: shuqiao connectors run --all",
    )


async def _one(pool: Any, batch: int) -> dict[str, Any]:
    from registry.storage.reads import batches as reads  # noqa: PLC0415

    row = _there(await reads.one(pool, batch), batch)
    return _as_document(row) | {"parts": [dict(part) for part in await reads.parts(pool, batch)]}


def _as_document(row: Any) -> dict[str, Any]:
    import orjson  # noqa: PLC0415

    return dict(row) | {"held_reasons": orjson.loads(row["held_reasons"])}
