"""``shuqiao clients``: downstream systems that may read the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from shuqiao.cli.options import AsJson, examples

app = typer.Typer(
    help="接口客户端 Systems that may read the API: who they are, what they may read.", no_args_is_help=True
)


@app.command(
    epilog=examples(
        "shuqiao clients add '工商银行桥州分行 loan desk' --scope read:legal_entity --scope read:tax_credit_rating",
        "shuqiao clients add 'duty officer' --scope operate",
    )
)
def add(
    name: Annotated[str, typer.Argument(help="名称 The system, and who is responsible for it.")],
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope",
            "-s",
            help="权限 What it may do: read:<dataset>, read:*, licence:<type>, licence:*, issue:<issuer code>, "
            "credit:public, credit:department, credit:bank, credit:consent, credit:exchange, credit:cases, "
            "credit:decide:<department>, operate. Repeat for more.",
        ),
    ],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """登记客户端 Enter a client. Its secret is shown this once; the registry keeps only a hash."""
    from registry.api.access import clients  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    url = registry.url()
    try:
        made = clients.add(url, name, scopes)
    except clients.ClientError as error:
        raise _usage(error) from None
    if strange := clients.unknown_datasets(url, scopes):
        output.note(f"登记库中还没有 not in the registry (yet): {', '.join(strange)}")
    if as_json:
        output.json_document(asdict(made))
        return
    output.pairs(
        "已登记 Entered",
        {
            "client_id": made.id,
            "client_secret": made.secret,
            "名称 name": made.name,
            "权限 scopes": ", ".join(made.scopes),
        },
    )
    output.note("请立即保存密钥，之后无法再次查看 Keep the secret now: it is not shown again.")


@app.command("list", epilog=examples("shuqiao clients list", "shuqiao clients list --json"))
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002
    """列出客户端 Every client, revoked ones too."""
    from registry.api.access import clients  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    found = clients.all_clients(registry.url())
    if as_json:
        output.json_document([asdict(each) for each in found])
        return
    output.table(
        "接口客户端 Clients",
        ["client_id", "名称 name", "权限 scopes", "登记 since", "撤销 revoked"],
        ((each.id, each.name, ", ".join(each.scopes), each.created_at, each.revoked_at) for each in found),
        empty="还没有客户端 no client yet: shuqiao clients add --help",
    )


@app.command(epilog=examples("shuqiao clients revoke client-0123456789abcdef"))
def revoke(
    client_id: Annotated[str, typer.Argument(help="客户端编号 The client's id.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """撤销客户端 End a client: no more tokens, and those that it has stop working."""
    from registry.api.access import clients  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    try:
        ended = clients.revoke(registry.url(), client_id)
    except clients.ClientError as error:
        raise _usage(error, "shuqiao clients list") from None
    if as_json:
        output.json_document(asdict(ended))
    else:
        output.console().print(f"已撤销 revoked: {ended.id} ({ended.name})", markup=False)


def _usage(error: Exception, remedy: str = "") -> Exception:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    return usage(str(error), remedy)
