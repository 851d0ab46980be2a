"""``shuqiao connectors``: departments' connectors, from a look at the manifest to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, AsJsonLines, examples

if TYPE_CHECKING:
    from connectors.errors import ManifestError
    from connectors.manifest import Manifest

Name = Annotated[str, typer.Argument(metavar="CONNECTOR", help="连接器 The connector; `connectors list` has them.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="CONNECTOR", help="连接器 The connectors; all if left out.")]

app = typer.Typer(
    help="连接器 Departments' connectors: look at them, check them, try them, run them.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao connectors list",
        "shuqiao connectors check market-supervision.enterprise",
        "shuqiao connectors pull tax.registration --dry-run --limit 100",
        "shuqiao connectors run --all",
    ),
)


@app.command("list", epilog=examples("shuqiao connectors list", "shuqiao connectors list --department tax --json"))
def list_(
    department: Annotated[str | None, typer.Option(help="部门 Of this department.", show_default=False)] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出连接器 Every connector, and every manifest that is wrong with file and line. Needs no registry."""
    from shuqiao import manifests  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    good, errors = manifests.everything()
    found = [each for each in good if department in {None, each.department}]
    problems = [problem for error in errors for problem in error.problems]
    if as_json:
        broken = [
            {"file": str(each.path), "line": each.line, "key": each.key, "problem": each.message} for each in problems
        ]
        output.json_document({"connectors": [_summary(each) for each in found], "broken": broken})
        return
    output.table(
        "连接器 Connectors",
        ["连接器 connector", "名称 title", "类型 kind", "连接 connection", "数据集 dataset", "计划 schedule"],
        (
            (each.connector, f"{each.title.zh} {each.title.en}", each.source.kind, each.source.connection)
            + (each.dataset, each.schedule)
            for each in found
        ),
        empty="没有连接器 no connectors; SHUQIAO_MANIFESTS names the folders of manifests",
    )
    if problems:
        output.table(
            "有误的清单 Wrong manifests",
            ["位置 place", "键 key", "问题 problem"],
            (
                (f"{each.path}:{each.line}" if each.line else str(each.path), each.key, each.message)
                for each in problems
            ),
        )


@app.command(epilog=examples("shuqiao connectors show tax.registration"))
def show(connector: Name, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看连接器 One connector: source, mapping, limits; and where it stands, if the registry can be asked."""
    from shuqiao.cli import lookup, output  # noqa: PLC0415

    manifest = lookup.connector(connector)
    found = _detail(manifest)
    if as_json:
        output.json_document(found)
        return
    rest = {name: value for name, value in found.items() if name not in {"mapping", "connector", "title", "state"}}
    output.pairs(f"{manifest.connector}  {manifest.title.zh} {manifest.title.en}", rest)
    output.table("映射 Mapping", ["字段 field", "规则 rule"], ((name, rule) for name, rule in manifest.mapping.items()))
    if found["state"]:
        output.pairs("登记库中的状态 State in the registry", found["state"])


@app.command(epilog=examples("shuqiao connectors check", "shuqiao connectors check tax.registration --json"))
def check(connectors: Names = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """检查连接器 Check manifest, connection, source and columns, and read the first rows. Needs no registry.

    Ends with 3 if a source does not answer, with 4 if something is misconfigured, after all have been checked.
    """
    from shuqiao import manifests  # noqa: PLC0415
    from shuqiao.cli import connector_check, lookup, output  # noqa: PLC0415
    from shuqiao.cli.progress import telling  # noqa: PLC0415

    errors: list[ManifestError] = []
    if connectors:
        chosen = lookup.connectors(connectors, everything=False)
    else:
        good, wrong = manifests.everything()
        chosen, errors = list(good), list(wrong)
    results: list[dict[str, Any]] = [
        {"connector": None, "steps": list(connector_check.broken(error))} for error in errors
    ]
    with telling("检查 checking …") as say:
        for manifest in chosen:
            say(f"检查 checking {manifest.connector} …")
            results.append({"connector": manifest.connector, "steps": list(connector_check.check(manifest))})
    worst = max((step.code for each in results for step in each["steps"]), default=0)
    if as_json:
        output.json_document(
            [
                {
                    "connector": each["connector"],
                    "good": all(step.good for step in each["steps"]),
                    "steps": [step.as_document() for step in each["steps"]],
                }
                for each in results
            ]
        )
    else:
        output.table(
            "检查 Check",
            ["连接器 connector", "", "检查项 subject", "结果 found"],
            ((each["connector"], step.good, step.subject, step.found) for each in results for step in each["steps"]),
        )
    if worst:
        raise typer.Exit(worst)


@app.command(
    epilog=examples(
        "shuqiao connectors discover market-supervision.enterprise",
        "shuqiao connectors discover market_supervision --table exchange.ent_info --draft --schema legal_entity@1",
        "shuqiao connectors discover tax --set path=/api/v1/taxpayers --set rows=data.items",
    )
)
def discover(
    where: Annotated[
        str, typer.Argument(metavar="CONNECTOR|CONNECTION", help="连接器或连接 A connector, or the id of a connection.")
    ],
    table: Annotated[
        str | None, typer.Option(help="表 Only this table, file or path; a part of its name.", show_default=False)
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="类型 Source kind of a connection; else by its type.", show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="设置 A key of the manifest's source section: path=/api/x."),
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="清单草稿 Print a manifest to start from.")] = False,  # noqa: FBT002
    schema: Annotated[
        str | None, typer.Option(help="数据结构 Schema of the draft: legal_entity@1.", show_default=False)
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """探查数据源 What a source offers: tables or files, fields, masked samples; and a manifest draft."""
    from shuqiao.cli import discovering, drafts, output  # noqa: PLC0415
    from shuqiao.cli.progress import telling  # noqa: PLC0415

    with telling(f"{where}: 探查 discovering …"):
        found = discovering.discover(where, kind=kind, settings=settings or (), table=table)
    if draft:
        text = drafts.draft(found, schema)
        if as_json:
            output.json_document({"draft": text})
        else:
            typer.echo(text, nl=False)
        return
    if as_json:
        output.json_document(found.as_document())
        return
    for each in found.tables:
        about = "" if each.rows is None else f"  (~{each.rows:,} 行 rows)"
        key = f"  主键 key: {', '.join(each.key)}" if each.key else ""
        output.table(
            f"{each.name}{about}{key}",
            ["字段 field", "类型 type", "样例 samples"],
            ((each_field.name, each_field.type, ", ".join(each_field.samples)) for each_field in each.fields),
        )
    if not found.tables:
        output.note("没有发现任何表或文件 nothing found: no table or file that this connection may see")


@app.command(
    epilog=examples(
        "shuqiao connectors pull tax.registration --dry-run --limit 100",
        "shuqiao connectors pull tax.registration && shuqiao batches list --state pulling",
    )
)
def pull(
    connector: Name,
    dry_run: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--dry-run", help="试运行 Only show what would become of the rows; the registry is not touched."),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, help="最多行数 How many rows of a dry run (default 20).", show_default=False
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="全量 Read everything, not from the cursor.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """读取 Read a source through mapping and validation, publish nothing.

    With --dry-run: show records and refusals of some rows, and leave the registry alone. Without: stage a batch, which
    `shuqiao batches publish` then publishes and `shuqiao batches discard` gives up.
    """
    from shuqiao.cli import lookup  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    manifest = lookup.connector(connector)
    if dry_run:
        _try(manifest, limit or 20, as_json=as_json)
    elif limit is not None:
        raise usage(
            "--limit 只用于试运行 --limit goes with --dry-run only: a part of a source must not be published",
            f"shuqiao connectors pull {connector} --dry-run --limit {limit}",
        )
    else:
        _stage(manifest, full=full, as_json=as_json)


@app.command(
    epilog=examples(
        "shuqiao connectors run market-supervision.enterprise",
        "shuqiao connectors run tax.registration tax.arrears --full",
        "shuqiao connectors run --all --json",
    )
)
def run(
    connectors: Annotated[
        list[str] | None, typer.Argument(metavar="CONNECTOR", help="连接器 The connectors to run.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="全部 Every connector.")] = False,  # noqa: FBT002
    full: Annotated[bool, typer.Option("--full", help="全量 Read everything, not from the cursor.")] = False,  # noqa: FBT002
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """运行连接器 Pull and publish in this process, one connector after the other (in production Airflow does it).

    A connector that fails does not stop the others; the exit code is that of the worst.
    """
    from shuqiao.cli import failures, lookup, output, registry, reports, running  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415

    chosen = lookup.connectors(connectors or (), everything=everything)
    url = registry.url()
    done, worst = [], 0
    for manifest in chosen:
        try:
            report = running.run(url, manifest, full=full)
        except Exception as error:
            failure = failures.explained(error, place=manifest.connector)
            if len(chosen) == 1 or failure.code == ExitCode.REGISTRY_UNREACHABLE:
                raise failure from error
            failures.show(failure, as_json=as_json)
            worst = max(worst, failure.code)
            continue
        done.append(report)
        if as_json:
            output.json_line(reports.as_document(report))
    if done and not as_json:
        reports.show(done)
    if worst:
        raise typer.Exit(worst)
    reports.leave_unless_published(done)


def _try(manifest: Manifest, limit: int, *, as_json: bool) -> None:
    from shuqiao.cli import dry_run, failures, output  # noqa: PLC0415

    try:
        found = dry_run.trial(manifest, limit)
    except Exception as error:
        raise failures.explained(error, place=manifest.connector) from error
    if as_json:
        output.json_document(found.as_document())
        return
    rows = [{"key": "|".join(str(each.get(name, "")) for name in manifest.key), "body": each} for each in found.records]
    from shuqiao.cli.records import show_records  # noqa: PLC0415

    show_records(f"记录 Records ({found.accepted})", rows)
    if found.refusals:
        output.table(
            f"退回 Refused ({found.refused})",
            ["位置 place", "字段 field", "规则 rule", "原因 why"],
            (
                (each["place"], reason["pointer"], reason["rule"], f"{reason['zh']}\n{reason['en']}")
                for each in found.refusals
                for reason in each["reasons"]
            ),
        )
    seconds = found.seconds
    output.note(
        f"读取 {found.read} 行 rows read ({'全部 all' if found.complete else '部分 some'}): "
        f"{found.accepted} 通过 accepted, {found.refused} 退回 refused, {found.deletions} 删除 deletions; "
        f"{seconds['reading']:.2f} s 读取 reading, {seconds['mapping_and_validation']:.2f} s 校验 checking. "
        "登记库未改动 The registry was not touched."
    )


def _stage(manifest: Manifest, *, full: bool, as_json: bool) -> None:
    from shuqiao.cli import failures, output, registry, running  # noqa: PLC0415

    try:
        planned, total = running.pull(registry.url(), manifest, full=full)
    except Exception as error:
        raise failures.explained(error, place=manifest.connector) from error
    if as_json:
        output.json_document(
            {
                "batch": planned.batch_id,
                "connector": manifest.connector,
                "state": "pulling",
                "parts": len(planned.parts),
                "pulled": total.pulled,
                "accepted": total.accepted,
                "refused": total.refused,
                "delete_flags": total.deletes,
            }
        )
        return
    output.console().print(
        f"批次 batch {planned.batch_id}: {total.pulled} 读取 pulled, {total.accepted} 通过 accepted, "
        f"{total.refused} 退回 refused, {total.deletes} 删除 deletions",
        markup=False,
    )
    output.note(f"尚未发布 not published yet: shuqiao batches publish|discard {planned.batch_id}")


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "connector": manifest.connector,
        "title": {"zh": manifest.title.zh, "en": manifest.title.en},
        "department": manifest.department,
        "kind": manifest.source.kind,
        "connection": manifest.source.connection,
        "dataset": manifest.dataset,
        "schema": manifest.schema,
        "schedule": manifest.schedule,
        "file": str(manifest.path),
    }


def _detail(manifest: Manifest) -> dict[str, Any]:
    section = manifest.source
    limits = manifest.limits
    return _summary(manifest) | {
        "owner": {"name": manifest.owner.name, "email": manifest.owner.email},
        "legal_basis": manifest.legal_basis,
        "source": dict(section.settings),
        "row_id": list(section.row_id),
        "snapshot": section.snapshot,
        "key": list(manifest.key),
        "freshness_seconds": None if manifest.freshness is None else int(manifest.freshness.total_seconds()),
        "timezone": manifest.timezone,
        "limits": {"max_refused": limits.max_refused, "max_shrink": limits.max_shrink, "rate": limits.rate},
        "mapping": {name: dict(rule) for name, rule in manifest.mapping.items()},
        "state": _state(manifest.connector),
    }


def _state(connector: str) -> dict[str, Any] | None:
    """Where the registry says that the connector stands; nothing when it cannot be asked."""
    from registry.storage.reads.pool import ReadError  # noqa: PLC0415
    from shuqiao.cli import failures, registry  # noqa: PLC0415

    try:
        rows = registry.read(
            lambda pool: pool.rows(
                "SELECT records, read_at, published_at, cursor_batch_id AS last_batch,"
                " (SELECT count(*) FROM registry.refusal f WHERE f.connector_id = c.id AND f.closed_at IS NULL)"
                " AS open_refusals FROM registry.connector c WHERE c.name = $1",
                connector,
            )
        )
    except (failures.Failure, ReadError):
        return None
    return dict(rows[0]) if rows else None
