"""``shuqiao audit archive``, ``archives``, ``restore``: old entries of the access log in files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shuqiao.cli.options import AsJson

if TYPE_CHECKING:
    import psycopg

    from registry.audit.archive import Archived
    from registry.audit.notes import LogKey

Folder = Annotated[
    Path | None,
    typer.Option("--archive", "-a", help="归档目录 The folder with the archives' files; looked through too."),
]


def archive(
    folder: Annotated[
        Path, typer.Argument(help="归档目录 Where to write the file.", exists=True, file_okay=False, metavar="FOLDER")
    ],
    before: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="只归档此日前签署的 What was signed before that day (UTC); default: by the registry's term.",
        ),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """归档 Move old entries into a file, once it is shown to hold what was signed; they stay provable."""
    from psycopg.errors import LockNotAvailable  # noqa: PLC0415

    from registry.audit import archive as archives  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    now = datetime.now(UTC)
    with connect(registry.url()) as connection:
        moment = archives.online_since(connection, now) if before is None else before.replace(tzinfo=UTC)
        try:
            made = archives.write(connection, folder, own_keys(connection), before=moment, now=now)
        except LockNotAvailable as error:
            cause = "访问日志正被读取，未移出任何条目 the log is being read, so nothing was taken out"
            raise Failure(ExitCode.FAILED, cause, "稍后重试 try again later") from error
    if as_json:
        output.json_document(None if made is None else plain(made))
    elif made is None:
        output.note(f"没有 {moment:%Y-%m-%d} 前签署的条目 nothing that was signed before {moment:%Y-%m-%d}")
    else:
        output.note(f"已归档 archived {made.until - made.first} entries, {made.first} to {made.until - 1}: {made.file}")


def archives(as_json: AsJson = False) -> None:  # noqa: FBT002
    """归档清单 Which entries stand in which files, and how long these have to be kept."""
    from registry.audit import archive as archived  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        found = archived.every(connection)
    if as_json:
        output.json_document([plain(each) for each in found])
        return
    output.table(
        "归档 Archives",
        ["自 first", "至 last", "文件 file", "保存至 keep until", "已恢复 restored"],
        ((each.first, each.until - 1, each.file, each.keep_until.date(), each.restored_at) for each in found),
        empty="没有归档 nothing is archived",
    )


def restore(
    file: Annotated[
        Path, typer.Argument(help="归档文件 The newest archive's file.", exists=True, dir_okay=False, metavar="FILE")
    ],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """恢复归档 Put the entries of the newest archive back into the database; the file stays."""
    from registry.audit import archive as archives  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        done = archives.restore(connection, file, now=datetime.now(UTC))
    if as_json:
        output.json_document(plain(done))
    else:
        output.note(f"已恢复 restored {done.until - done.first} entries, {done.first} to {done.until - 1}")


def files(connection: psycopg.Connection, folder: Path | None) -> list[Path]:
    """The files in which entries stand now, in their order; none where no folder is named. Raises Failure."""
    from registry.audit import archive as archives  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if folder is None:
        return []
    found = [folder / each.file for each in archives.every(connection) if each.restored_at is None]
    if missing := [each.name for each in found if not each.is_file()]:
        raise usage(f"目录中缺少归档文件 the folder lacks {', '.join(missing)}", "shuqiao audit archives")
    return found


def own_keys(connection: psycopg.Connection) -> list[LogKey]:
    """The keys by which the hub's own checkpoints are verified."""
    from registry.audit import notes  # noqa: PLC0415
    from registry.licences.trust import hub_keys  # noqa: PLC0415

    return [notes.LogKey(notes.origin(did), key) for did, key in hub_keys(connection)]


def plain(made: Archived) -> dict[str, object]:
    """As JSON has it."""
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(made) | {"digest": made.digest.hex()}
