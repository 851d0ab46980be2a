"""``shuqiao clients``: systems that may use the API, how they prove who they are, and how fast they may ask."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    from registry.api.clients.clients import Client
    from registry.api.clients.credentials import Credential, Given

app = typer.Typer(
    help="接口客户端 Systems that may use the API: who they are and how they prove it; see docs/clients.md.",
    no_args_is_help=True,
)


class Method(StrEnum):
    """How a client may prove who it is, as it is typed."""

    client_secret = "client_secret"  # noqa: S105
    private_key_jwt = "private_key_jwt"
    tls_client_auth = "tls_client_auth"
    self_signed_tls_client_auth = "self_signed_tls_client_auth"
    external = "external"


_ClientId = Annotated[str, typer.Argument(help="客户端编号 The client's id.", metavar="CLIENT")]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", help="公钥 Its public key: PEM, JWK or JWK Set (EC P-256, RSA, Ed25519).", metavar="FILE"),
]
Certificates = Annotated[
    list[Path] | None,
    typer.Option("--certificate", help="证书 Its certificate itself, for mutual TLS.", metavar="FILE"),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option(
        "--subject",
        help="证书主题 The subject of its certificates, issued by an authority in SHUQIAO_CLIENT_CA: CN=desk,O=Bank.",
        metavar="NAME",
    ),
]
Hours = Annotated[float, typer.Option("--hours", help="小时 How long the old one stays good.", min=0, max=24 * 90)]


@app.command(
    epilog=examples(
        "shuqiao clients add '工商银行桥州分行 loan desk' --scope credit:bank",
        "shuqiao clients add 'loan desk' --scope credit:bank --key desk.pem",
        "shuqiao clients add 'loan desk' --scope credit:bank --subject 'CN=loan desk,O=City Bank'",
        "shuqiao clients add 'tax office' --external tax-gateway",
        "shuqiao clients add 'duty officer' --scope operate",
    )
)
def add(
    name: Annotated[str, typer.Argument(help="名称 The system, and who is responsible for it.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            "-s",
            help="权限 What it may do: licence:<type>, licence:*, issue:<issuer code>, "
            "credit:public, credit:department, credit:bank, credit:consent, credit:exchange, credit:cases, "
            "credit:decide:<department>, grants:decide:<department>, operate. Repeat for more. "
            "Records of datasets are granted: shuqiao grants --help.",
        ),
    ] = None,
    methods: Annotated[
        list[Method] | None,
        typer.Option(
            "--method",
            "-m",
            help="认证方式 How it may prove who it is; left out: by what is given here, else a secret.",
        ),
    ] = None,
    keys: Keys = None,
    certificates: Certificates = None,
    subjects: Subjects = None,
    external: Annotated[
        str, typer.Option("--external", help="外部名称 What the trusted external issuer of tokens calls it.")
    ] = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """登记客户端 Enter a client. A secret is shown this once; the registry keeps only a hash.

    A secret suits trials. In production a client signs with a key of its own (--key: private_key_jwt), or shows a
    certificate (--certificate, --subject): its tokens are then worth nothing to who steals them.
    """
    from registry.api.clients import clients, credentials  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    given = _given(keys, certificates, subjects)
    ways = [credentials.Method(each.value) for each in methods or _ways(keys, certificates, subjects, external)]
    try:
        made = clients.add(
            registry.url(), name, scopes or (), methods=ways, given=given, external_name=external or None
        )
    except clients.ClientError as error:
        raise _usage(error) from None
    if as_json:
        output.json_document(asdict(made))
        return
    output.pairs(
        "已登记 Entered",
        {
            "client_id": made.id,
            **({"client_secret": made.secret} if made.secret else {}),
            "名称 name": made.name,
            "权限 scopes": ", ".join(made.scopes),
            "认证方式 methods": ", ".join(ways),
        },
    )
    if made.secret:
        output.note("请立即保存密钥，之后无法再次查看 Keep the secret now: it is not shown again.")


@app.command("list", epilog=examples("shuqiao clients list", "shuqiao clients list --json"))
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002
    """列出客户端 Every client, revoked ones too."""
    from registry.api.clients import clients  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    found = clients.all_clients(registry.url())
    if as_json:
        output.json_document([asdict(each) for each in found])
        return
    output.table(
        "接口客户端 Clients",
        ["client_id", "名称 name", "权限 scopes", "认证 methods", "登记 since", "撤销 revoked"],
        (
            (each.id, each.name, ", ".join(each.scopes), ", ".join(each.methods), each.created_at, each.revoked_at)
            for each in found
        ),
        empty="还没有客户端 no client yet: shuqiao clients add --help",
    )


@app.command(epilog=examples("shuqiao clients show client-0123456789abcdef"))
def show(client_id: _ClientId, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看客户端 A client with its credentials, as far as they are no secret."""
    from registry.api.clients import clients, credentials  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    url = registry.url()
    try:
        _show(clients.one(url, client_id), credentials.of_client(url, client_id), as_json=as_json)
    except clients.ClientError as error:
        raise _usage(error, "shuqiao clients list") from None


@app.command(
    "rotate-secret",
    epilog=examples(
        "shuqiao clients rotate-secret client-0123456789abcdef",
        "shuqiao clients rotate-secret client-0123456789abcdef --hours 0   # the old one is known to others",
    ),
)
def rotate_secret(client_id: _ClientId, hours: Hours = 24, as_json: AsJson = False) -> None:  # noqa: FBT002
    """更换密钥 A new secret, shown this once; the old one ends after some hours, so that nothing stops meanwhile."""
    from datetime import timedelta  # noqa: PLC0415

    from registry.api.clients import credentials  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    try:
        secret, ends = credentials.rotate_secret(registry.url(), client_id, timedelta(hours=hours))
    except credentials.CredentialError as error:
        raise _usage(error) from None
    if as_json:
        output.json_document({"id": client_id, "secret": secret, "old_ends_at": ends})
        return
    output.pairs("已更换 Replaced", {"client_id": client_id, "client_secret": secret, "旧密钥止于 old one ends": ends})
    output.note("请立即保存密钥，之后无法再次查看 Keep the secret now: it is not shown again.")


@app.command(
    epilog=examples(
        "shuqiao clients keys client-0123456789abcdef",
        "shuqiao clients keys client-0123456789abcdef --key new.pem",
        "shuqiao clients keys client-0123456789abcdef --end 17 --hours 24",
    )
)
def keys(
    client_id: _ClientId,
    added: Keys = None,
    certificates: Certificates = None,
    subjects: Subjects = None,
    number: Annotated[
        int | None, typer.Option("--end", help="编号 End the credential of this number.", metavar="NUMBER")
    ] = None,
    hours: Hours = 0,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """密钥与证书 A client's keys and certificates: look at them, enter further ones, let one end.

    To replace a key: enter the new one, let the client use it, then end the old one.
    """
    from datetime import timedelta  # noqa: PLC0415

    from registry.api.clients import clients, credentials  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    url = registry.url()
    try:
        if added or certificates or subjects:
            credentials.add(url, client_id, _given(added, certificates, subjects))
        if number is not None:
            credentials.end(url, client_id, number, timedelta(hours=hours))
        _show(clients.one(url, client_id), credentials.of_client(url, client_id), as_json=as_json)
    except (clients.ClientError, credentials.CredentialError) as error:
        raise _usage(error) from None


@app.command(
    epilog=examples(
        "shuqiao clients methods client-0123456789abcdef private_key_jwt",
        "shuqiao clients methods client-0123456789abcdef private_key_jwt client_secret   # while it changes over",
    )
)
def methods(
    client_id: _ClientId,
    ways: Annotated[list[Method], typer.Argument(help="认证方式 From now on these only.", metavar="METHOD...")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """认证方式 How a client may prove who it is from now on."""
    from registry.api.clients import clients, credentials  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    url = registry.url()
    try:
        credentials.restrict(url, client_id, [credentials.Method(each.value) for each in ways])
        _show(clients.one(url, client_id), credentials.of_client(url, client_id), as_json=as_json)
    except (clients.ClientError, credentials.CredentialError) as error:
        raise _usage(error) from None


@app.command(
    epilog=examples(
        "shuqiao clients limit client-0123456789abcdef 50",
        "shuqiao clients limit client-0123456789abcdef --default",
    )
)
def limit(
    client_id: _ClientId,
    per_second: Annotated[
        int | None, typer.Argument(help="每秒请求数 Requests a second at each process of the API.", min=1)
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="恢复默认 As the hub allows everyone.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """限速 How fast a client may ask; it may spend ten seconds' worth at once."""
    from registry.api.clients import clients, credentials  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    if (per_second is None) != default:
        raise _usage("给出每秒请求数，或 --default; give a number of requests a second, or --default")
    url = registry.url()
    try:
        credentials.limit(url, client_id, per_second)
        _show(clients.one(url, client_id), credentials.of_client(url, client_id), as_json=as_json)
    except (clients.ClientError, credentials.CredentialError) as error:
        raise _usage(error) from None


@app.command(epilog=examples("shuqiao clients revoke client-0123456789abcdef"))
def revoke(client_id: _ClientId, as_json: AsJson = False) -> None:  # noqa: FBT002
    """撤销客户端 End a client: no more tokens, and those that it has stop working."""
    from registry.api.clients import clients  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    try:
        ended = clients.revoke(registry.url(), client_id)
    except clients.ClientError as error:
        raise _usage(error, "shuqiao clients list") from None
    if as_json:
        output.json_document(asdict(ended))
    else:
        output.console().print(f"已撤销 revoked: {ended.id} ({ended.name})", markup=False)


def _ways(
    keys: list[Path] | None, certificates: list[Path] | None, subjects: list[str] | None, external: str
) -> list[Method]:
    """What can be proven by what is given."""
    found = {
        Method.private_key_jwt: bool(keys),
        Method.self_signed_tls_client_auth: bool(certificates),
        Method.tls_client_auth: bool(subjects),
        Method.external: bool(external),
    }
    return [way for way, given in found.items() if given] or [Method.client_secret]


def _given(keys: list[Path] | None, certificates: list[Path] | None, subjects: list[str] | None) -> Given:
    from registry.api.clients.credentials import Given  # noqa: PLC0415

    try:
        return Given(
            tuple(path.read_bytes() for path in keys or ()),
            tuple(path.read_bytes() for path in certificates or ()),
            tuple(subjects or ()),
        )
    except OSError as error:
        raise _usage(f"{error.filename}: {error.strerror}") from None


def _show(client: Client, known: list[Credential], *, as_json: bool) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    if as_json:
        output.json_document(asdict(client) | {"credentials": [asdict(each) for each in known]})
        return
    shown: dict[str, Any] = {
        "client_id": client.id,
        "名称 name": client.name,
        "权限 scopes": ", ".join(client.scopes),
        "认证方式 methods": ", ".join(client.methods),
        "外部名称 external name": client.external_name,
        "每秒请求数 requests a second": client.requests_per_second or "默认 the hub's",
        "登记 since": client.created_at,
        "撤销 revoked": client.revoked_at,
    }
    output.pairs("客户端 Client", shown)
    output.table(
        "凭据 Credentials",
        ["编号 number", "种类 kind", "内容 what", "起 from", "止 until"],
        ((each.number, each.kind, each.shown, each.created_at, each.ends_at) for each in known),
        empty="没有凭据 none",
    )


def _usage(error: Exception | str, remedy: str = "") -> Exception:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    return usage(str(error), remedy)
