"""``shuqiao issuers``: authorities that issue licences, and their seals."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    from registry.domain.licences.licence import Issuer
    from registry.licences.issuers import Entry

app = typer.Typer(help="颁发机构 Authorities that issue licences: their names, codes and seals.", no_args_is_help=True)


@app.command(
    epilog=examples(
        "shuqiao issuers add 11330200QE27RUC576 桥州市市场监督管理局 --en 'Qiaozhou Market Regulation'",
        "shuqiao issuers add 330203 海曙区行政审批局 --en 'Haishu Approval Bureau' --alias 海曙审批局",
    )
)
def add(
    code: Annotated[str, typer.Argument(help="机构代码 Unified social credit code, or six digits of a division.")],
    name: Annotated[str, typer.Argument(help="名称 Its name, as on the seal.")],
    name_en: Annotated[str, typer.Option("--en", help="英文名称 Its name in English.")],
    aliases: Annotated[
        list[str] | None, typer.Option("--alias", "-a", help="别名 Another name that records use. Repeat for more.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """登记机构 Enter an authority with its key and seal; again: what is new about it. A new name gives a new seal."""
    from registry.licences import issuers  # noqa: PLC0415

    _entered([_with_keys(issuers.enter, code, name, name_en, aliases or [])], as_json=as_json)


@app.command(epilog=examples("shuqiao issuers load shuqiao/demo/issuers.yaml"))
def load(
    path: Annotated[Path, typer.Argument(help="YAML 文件 A file with a list `issuers`.", metavar="FILE")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """按文件登记 Enter every authority of a file, all or none; what is there already stays."""
    from registry.licences import issuers  # noqa: PLC0415

    _entered(_with_keys(issuers.load_file, path), as_json=as_json)


@app.command("list", epilog=examples("shuqiao issuers list", "shuqiao issuers list --json"))
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002
    """列出机构 Every authority, and until when its seal holds."""
    from registry.licences import issuers, key_rows  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        found = issuers.all_issuers(connection)
        seals = key_rows.read(connection, "k.purpose = 'seal' AND k.state = 'active'")
    until = {seal.issuer_code: seal.not_after for seal in seals}
    if as_json:
        output.json_document([_plain(entry, until.get(entry.issuer.code)) for entry in found])
        return
    output.table(
        "颁发机构 Issuers",
        ["代码 code", "名称 name", "英文 English", "别名 aliases", "印章至 seal until"],
        (
            (
                each.issuer.code,
                each.issuer.name,
                each.issuer.name_en,
                ", ".join(each.aliases),
                until.get(each.issuer.code),
            )
            for each in found
        ),
        empty="还没有机构 no authority yet: shuqiao issuers load <file>",
    )


def _with_keys(work: Any, *values: Any) -> Any:
    """Enter with the master key and this hub's public address."""
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao import master_key, settings  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    given = settings.read()
    with connect(registry.url()) as connection:
        return work(
            connection,
            *values,
            base=settings.public_url(given),
            master_key=master_key.load(),
            now=datetime.now(UTC),
            sm2=given.sm2,
        )


def _entered(found: list[Issuer], *, as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from shuqiao.cli import output  # noqa: PLC0415

    if as_json:
        output.json_document([asdict(issuer) for issuer in found])
        return
    for issuer in found:
        output.console().print(f"已登记 entered: {issuer.code} {issuer.name} ({issuer.did})", markup=False)


def _plain(entry: Entry, seal_until: datetime | None) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return {
        **asdict(entry.issuer),
        "aliases": list(entry.aliases),
        "registered_at": entry.registered_at,
        "seal_until": seal_until,
    }
