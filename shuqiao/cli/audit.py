"""``shuqiao audit``: the access log verified, signed, exported; who read whose data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from shuqiao.cli import audit_archive
from shuqiao.cli.audit_archive import Folder, own_keys
from shuqiao.cli.options import AsJson, AsJsonLines, examples

if TYPE_CHECKING:
    from registry.audit.notes import LogKey
    from registry.audit.reading import Logged
    from registry.domain.audit.checkpoint import Checkpoint
    from registry.domain.audit.export import Finding

app = typer.Typer(
    help="访问日志 The access log: verify it, sign it, hand it out; who read whose data; see docs/access-log.md.",
    no_args_is_help=True,
)

app.command(
    epilog=examples("shuqiao audit archive /archive", "shuqiao audit archive /archive --before 2026-01-01"),
)(audit_archive.archive)
app.command(epilog=examples("shuqiao audit archives"))(audit_archive.archives)
app.command(
    epilog=examples("shuqiao audit restore /archive/access-log-000000000000-000020852163.ndjson.gz"),
)(audit_archive.restore)

_Checkpoints = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", "-c", help="所持检查点 A checkpoint that you keep. Repeat for more.", metavar="FILE"),
]
_Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", "-k", help="公钥 The log's keys, as audit keys prints them, or PEM. Repeat.", metavar="FILE"),
]


@app.command(
    epilog=examples(
        "shuqiao audit verify",
        "shuqiao audit verify --checkpoint kept/2026-11-23.note",
        "shuqiao audit verify --archive /archive",
        "shuqiao audit verify log.ndjson --checkpoint kept/2026-11-23.note --key hub.key",
    )
)
def verify(
    ctx: typer.Context,
    export: Annotated[
        Path | None, typer.Argument(help="导出文件 An export; without it, the registry's own log.", metavar="FILE")
    ] = None,
    checkpoint: _Checkpoints = None,
    key: _Keys = None,
    archive: Folder = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """核验日志 Find what was changed, removed or added. A file is checked without the hub: by checkpoints and keys."""
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415

    said, findings = (
        _verified_database(checkpoint or [], key or [], archive)
        if export is None
        else _verified_file(export, checkpoint or [], key or [])
    )
    if as_json:
        output.json_document({**said, "findings": [_plain_finding(each) for each in findings]})
    else:
        output.pairs("访问日志 Access log", said)
        if findings:
            rows = ((each.kind, each.first, each.last, f"{each.zh}\n{each.en}") for each in findings)
            output.table("发现 Findings", ["类别 kind", "自 first", "至 last", "说明 finding"], rows)
    if findings or (export is not None and said["entries"] and not said["proven"]):
        ctx.exit(ExitCode.FAILED)


@app.command(epilog=examples("shuqiao audit checkpoint > kept/$(date +%F).note"))
def checkpoint(as_json: AsJson = False) -> None:  # noqa: FBT002
    """签署检查点 Sign the log as it is now and print the checkpoint. Keep it where the hub cannot write."""
    from registry.audit import checkpoints  # noqa: PLC0415
    from registry.licences.keys import KeyRing  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao import master_key  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        ring = KeyRing.load(connection, master_key.load())
        made = checkpoints.make(connection, ring.hub, datetime.now(UTC))
    if as_json:
        output.json_document({"size": made.size, "root": made.root.hex(), "note": made.note, "made_at": made.made_at})
    else:
        typer.echo(made.note, nl=False)


@app.command(epilog=examples("shuqiao audit keys > hub.key"))
def keys(as_json: AsJson = False) -> None:  # noqa: FBT002
    """检查点公钥 The keys by which checkpoints are verified, one a line."""
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        found = [each.text for each in own_keys(connection)]
    if as_json:
        output.json_document(found)
    else:
        typer.echo("".join(f"{line}\n" for line in found), nl=False)


@app.command(epilog=examples("shuqiao audit export log.ndjson", "shuqiao audit export new.ndjson --first 20852163"))
def export(
    file: Annotated[Path, typer.Argument(help="文件 Where to write it (NDJSON).", metavar="FILE")],
    first: Annotated[
        int, typer.Option(min=0, help="起始序号 The first entry; best the size of a checkpoint that the reader has.")
    ] = 0,
    end: Annotated[int | None, typer.Option(min=0, help="终止序号 The entry after the last.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """导出日志 Write entries into a file that anyone with a checkpoint can verify."""
    from registry.audit import exporting  # noqa: PLC0415
    from registry.audit.proofs import NotInLog  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    with connect(registry.url()) as connection, _for_owner_only(file) as target:
        try:
            count = exporting.write(connection, target, first=first, end=end)
        except NotInLog as error:
            raise usage(f"没有这些条目 {error}") from None
    if as_json:
        output.json_document({"file": str(file), "first": first, "entries": count})
    else:
        output.note(f"已导出 {count} 条 exported {count} entries to {file}")


@app.command(epilog=examples("shuqiao audit who 91310000MA1FL00A0Q", "shuqiao audit who 91310000MA1FL00A0Q --json"))
def who(
    entity: Annotated[str, typer.Argument(help="统一社会信用代码 The enterprise's code.", metavar="CODE")],
    limit: Annotated[int, typer.Option(min=1, help="最多条数 At most so many.")] = 100,
    archive: Folder = None,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """谁查阅过 Who read an enterprise's data, what for, the newest first."""
    from registry.audit import archive as archives  # noqa: PLC0415
    from registry.audit import reading  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        found = reading.about(connection, entity, before=None, limit=limit)
        files = audit_archive.files(connection, archive)
        elsewhere = 0 if files else archives.boundary(connection)
    found += list(archives.about(files, entity))[::-1][: max(limit - len(found), 0)]
    if elsewhere:
        output.note(
            f"{elsewhere} 条更早的记录已归档 older entries are archived: --archive FOLDER looks through them too"
        )
    if as_json:
        for row in found:
            output.json_line(_plain(row))
        return
    output.table(
        f"查阅记录 Accesses: {entity}",
        ["序号 index", "时间 at", "客户端 client_id", "操作 action", "结果 status", "用途 purpose", "业务编号 case"],
        (
            (row.index, each.at, each.client, each.action, each.status, each.purpose, each.case_number)
            for row in found
            for each in [row.entry]
        ),
        empty="没有查阅记录 nobody read it",
    )


def _verified_database(
    held: Sequence[Path], keys: Sequence[Path], archive: Path | None
) -> tuple[dict[str, Any], Sequence[Finding]]:
    from registry.audit import check  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415
    from shuqiao.cli.progress import telling  # noqa: PLC0415

    with connect(registry.url()) as connection, telling("核验访问日志 checking the access log …") as say:
        own = own_keys(connection)
        files = audit_archive.files(connection, archive)
        given = _checkpoints(held, _keys(keys, held) or own)
        report = check.check(
            connection,
            own,
            given,
            files=files,
            say=lambda done, of: say(f"核验访问日志 checking the access log {done:,}/{of:,} …"),
        )
    said = {
        "entries": report.size,
        "archived": report.archived,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "proven": report.proven,
    }
    return said, report.findings


def _verified_file(file: Path, held: Sequence[Path], keys: Sequence[Path]) -> tuple[dict[str, Any], Sequence[Finding]]:
    from registry.audit import archive  # noqa: PLC0415
    from registry.domain.audit import export  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if not held or not keys:
        raise usage(
            "核验导出文件须有检查点与公钥 a file is checked by checkpoints and the keys that signed them",
            "shuqiao audit verify FILE --checkpoint NOTE --key KEYS",
        )
    given = _checkpoints(held, _keys(keys, held))
    found = export.check(archive.lines(file), given)
    said = {
        "first": found.first,
        "entries": found.end - found.first,
        "checkpoints": len(found.confirmed),
        "proven": found.proven,
    }
    return said, found.findings


def _keys(files: Sequence[Path], held: Sequence[Path]) -> list[LogKey]:
    """Keys as lines; a key in PEM is taken for the log that the checkpoints name."""
    from registry.audit import notes  # noqa: PLC0415
    from registry.domain.audit import checkpoint as checkpoints  # noqa: PLC0415

    found = []
    for file in files:
        text = file.read_text("utf-8")
        if "-----BEGIN" in text:
            origins = {checkpoints.parse(each.read_text("utf-8")).checkpoint.origin for each in held}
            found += [notes.key_from_pem(text.encode(), origin) for origin in sorted(origins)]
        else:
            found += [notes.key_from_text(line) for line in text.splitlines() if line.strip()]
    return found


def _checkpoints(files: Iterable[Path], keys: Sequence[LogKey]) -> list[Checkpoint]:
    from registry.audit import notes  # noqa: PLC0415

    return [notes.opened(file.read_text("utf-8"), keys) for file in files]


def _for_owner_only(file: Path) -> BinaryIO:
    """Who read whose data is nobody else's business."""
    import os  # noqa: PLC0415

    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _plain_finding(finding: Finding) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(finding)


def _plain(row: Logged) -> dict[str, Any]:
    import orjson  # noqa: PLC0415

    found: dict[str, Any] = orjson.loads(row.data)
    return found
