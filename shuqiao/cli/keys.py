"""``shuqiao keys``: the keys that sign licences: looked at, replaced, revoked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli import personal_keys, token_keys
from shuqiao.cli.exit_codes import ExitCode
from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    import psycopg

    from registry.licences.key_rows import Key
    from shuqiao.cli.failures import Failure

app = typer.Typer(
    help="密钥与印章 Keys and seals: look at them, replace them, revoke them; see docs/keys.md.", no_args_is_help=True
)
app.add_typer(token_keys.app, name="tokens", short_help="令牌密钥 The keys that sign access tokens.")
app.add_typer(personal_keys.app, name="personal", short_help="个人信息密钥 The keys that seal personal values.")

_KeyId = Annotated[str, typer.Argument(help="密钥编号 The key's id, or its beginning.", metavar="KEY")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="不再询问 Do not ask.")]


class Why(StrEnum):
    """The reasons of a revocation, as they are typed."""

    key_compromise = "key_compromise"
    cessation = "cessation"
    superseded = "superseded"


@app.command("list", epilog=examples("shuqiao keys list", "shuqiao keys list --issuer hub --json"))
def list_(
    issuer: Annotated[str, typer.Option(help="机构代码或 hub An authority's code, or hub.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="含已停用 Retired and revoked ones too.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出密钥 The keys that sign now; with --all those of earlier too."""
    from registry.licences import keys  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    with _registry() as connection:
        found = [key for key in keys.all_keys(connection, issuer or None) if everything or key.state == "active"]
    if as_json:
        output.json_document([_plain(key) for key in found])
        return
    output.table(
        "密钥 Keys",
        ["编号 key", "用途 purpose", "机构 issuer", "状态 state", "算法 algorithm", "起 from", "止 until"],
        (
            (key.id, key.purpose, _owner(key), _state(key), key.algorithm, key.not_before, key.not_after)
            for key in found
        ),
        empty="还没有密钥 no key yet: shuqiao issuers load <file>",
    )


@app.command(
    epilog=examples("shuqiao keys rotate 11330200QE27RUC576", "shuqiao keys rotate hub --yes"),
)
def rotate(
    issuer: Annotated[str, typer.Argument(help="机构代码或 hub The authority's code, or hub.")],
    sm2: Annotated[bool, typer.Option("--sm2", help="SM2 密钥 Its SM2 key, not its seal.")] = False,  # noqa: FBT002
    yes: _Yes = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """更换密钥 A new key and seal. What the old one signed stays valid."""
    from registry.licences import keys  # noqa: PLC0415
    from shuqiao import master_key  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    purpose = "hub" if issuer == keys.HUB else "sm2" if sm2 else "seal"
    with _registry() as connection:
        known = keys.all_keys(connection, issuer)
        if not known:
            raise _unknown_issuer(connection, issuer)
        now_active = next((key.id for key in known if key.purpose == purpose and key.state == "active"), None)
        _ask(f"更换 {issuer} 的密钥 replace the key {now_active} of {issuer}?", yes=yes)
        done = keys.rotate(
            connection, issuer, master_key=master_key.load(), now=datetime.now(UTC), replacing=now_active, sm2=sm2
        )
    if as_json:
        output.json_document({"old": done.old, "new": _plain(done.new)})
        return
    output.pairs("已更换 Replaced", {"旧 old": done.old, "新 new": done.new.id, "止 until": done.new.not_after})
    output.note("请向离线核验方分发新的信任列表 Hand the new trust list to those who verify offline: /trust-list.json")


@app.command(epilog=examples("shuqiao keys revoke 1bjUPjsMZtNV --reason key_compromise"))
def revoke(
    key_id: _KeyId,
    reason: Annotated[
        Why,
        typer.Option(
            help="原因 key_compromise: nothing it signed is believed any more; cessation: the authority is no more; "
            "superseded: replaced for another cause."
        ),
    ],
    yes: _Yes = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """吊销密钥 End a key for good; it gets a successor unless its authority has ceased."""
    from dataclasses import asdict  # noqa: PLC0415

    from registry.licences import keys  # noqa: PLC0415
    from shuqiao import master_key  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    now = datetime.now(UTC)
    with _registry() as connection:
        key = _one(connection, key_id)
        signed = keys.affected(connection, key.id, now)
        _ask(
            f"吊销 {_owner(key)} 的密钥，涉及现行证照 {signed.licences} 件 "
            f"revoke the key {key.id} of {_owner(key)}, which signed {signed.licences} current licences?",
            yes=yes,
        )
        done = keys.revoke(connection, key.id, keys.Reason(reason.value), master_key=master_key.load(), now=now)
    follows = asdict(done.affected)
    if as_json:
        output.json_document(
            {
                "key": _plain(done.key),
                "successor": done.successor,
                "affected": follows,
                "must_be_reissued": done.must_be_reissued,
            }
        )
        return
    output.pairs("已吊销 Revoked", {"密钥 key": done.key.id, "接替 successor": done.successor, **follows})
    output.note("请向离线核验方分发新的信任列表 Hand the new trust list to those who verify offline: /trust-list.json")
    if done.must_be_reissued and any(follows.values()):
        output.note(
            "该密钥签发的一切不再可信，须重新签发 Nothing that it signed is believed any more; make it anew with: "
            f"shuqiao keys reissue {done.key.id}"
        )


@app.command(epilog=examples("shuqiao keys reissue 1bjUPjsMZtNV"))
def reissue(key_id: _KeyId, as_json: AsJson = False) -> None:  # noqa: FBT002
    """重新签发 Make anew what a revoked key signed: licences as new versions, status lists, forms when asked for.

    Killed or called again, it goes on where it was. Annotated copies have to be asked for anew.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from registry.licences import keys, reissuing  # noqa: PLC0415
    from shuqiao import master_key, settings  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.licence_types import licence_types  # noqa: PLC0415

    with _registry() as connection:
        done = reissuing.reissue(
            connection,
            _one(connection, key_id).id,
            types=licence_types(),
            keys=keys.KeyRing.load(connection, master_key.load()),
            base=settings.public_url(settings.read()),
            now=datetime.now(UTC),
        )
    if as_json:
        output.json_document(asdict(done))
    else:
        output.pairs("已重新签发 Made anew", asdict(done))
    if done.copies_lost:
        output.note(
            f"加注件 {done.copies_lost} 份随该密钥作废，请通知这些客户端重新制作"
            f" {done.copies_lost} annotated copies are lost with the key;"
            f" tell these clients to have others made: {', '.join(done.clients_to_tell)}"
        )


@app.command(epilog=examples("shuqiao keys check", "shuqiao keys check --within 365 --json"))
def check(
    within: Annotated[int, typer.Option(help="天数 Warn this many days before a key ends.", min=0)] = 180,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """检查密钥 Whether the master key opens every key, certificates stand under the root, and none ends soon."""
    from dataclasses import asdict  # noqa: PLC0415

    from registry.licences import key_check  # noqa: PLC0415
    from shuqiao import master_key, settings  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    base = settings.public_url(settings.read())
    with _registry() as connection:
        found = key_check.problems(
            connection, master_key.load(), base=base, now=datetime.now(UTC), within=timedelta(days=within)
        )
    if as_json:
        output.json_document([asdict(problem) for problem in found])
    for problem in [] if as_json else found:
        output.console().print(f"✗ {problem.zh} {problem.en}", markup=False)
    if found:
        raise typer.Exit(ExitCode.FAILED)
    if not as_json:
        output.console().print("✓ 密钥完好 the keys are in order", markup=False)


@app.command(epilog=examples("shuqiao keys show 1bjUPjsMZtNV > seal.pem", "shuqiao keys show 1bjUPjsMZtNV --public"))
def show(
    key_id: _KeyId,
    public: Annotated[bool, typer.Option("--public", help="公钥 The public key, not the certificate.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """导出证书 The key's certificate as PEM, for openssl and others; of an SM2 key the public key."""
    from registry.licences import key_rows  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    with _registry() as connection:
        key = _one(connection, key_id)
    if as_json:
        parts = {"certificate": key_rows.certificate_pem(key), "public_key": key_rows.public_pem(key)}
        output.json_document(_plain(key) | parts)
        return
    text = key_rows.public_pem(key) if public else key_rows.certificate_pem(key) or key_rows.public_pem(key)
    typer.echo(text, nl=False)


@app.command("replace-root", epilog=examples("shuqiao keys replace-root"))
def replace_root(yes: _Yes = False, as_json: AsJson = False) -> None:  # noqa: FBT002
    """重建根密钥 After the root or the master key was lost to others: revoke every key and make all anew.

    What they signed is no longer believed until it is reissued, and who verifies needs the new root certificate.
    """
    from registry.licences import keys  # noqa: PLC0415
    from shuqiao import master_key  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    _ask("吊销全部密钥并重建 revoke every key and make all anew? Nothing signed so far will be believed", yes=yes)
    with _registry() as connection:
        gone = keys.replace_root(connection, master_key=master_key.load(), now=datetime.now(UTC))
    if as_json:
        output.json_document([_plain(key) for key in gone])
        return
    output.console().print(f"已吊销并重建 revoked and made anew: {len(gone)}", markup=False)
    output.note("请重新签发 Now make anew what they signed:")
    for key in gone:
        if key.purpose == "seal":
            output.note(f"    shuqiao keys reissue {key.id}")
    output.note(
        "请分发新的根证书与信任列表 And hand out the new root certificate and trust list: /root.pem, /trust-list.json"
    )


@app.command(epilog=examples("openssl rand -base64 32 > new.key", "shuqiao keys reseal new.key"))
def reseal(
    path: Annotated[Path, typer.Argument(help="新主密钥文件 A file with the new master key.", metavar="FILE")],
    yes: _Yes = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """更换主密钥 Seal every private key with a new master key, all or none; keep the old one for old backups."""
    from registry.licences import keys  # noqa: PLC0415
    from registry.signing.master_key import from_file  # noqa: PLC0415
    from shuqiao import master_key  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    old, new = master_key.load(), from_file(path)
    _ask(f"以新主密钥重新封存 seal every key with the master key {new.id} instead of {old.id}?", yes=yes)
    with _registry() as connection:
        count = keys.reseal(connection, old, new)
    if as_json:
        output.json_document({"resealed": count, "master_key_id": new.id})
        return
    output.console().print(f"已重新封存 resealed: {count}", markup=False)
    output.note(
        "请把新主密钥交给所有进程并重启 Now give the new master key to every process and start them again: "
        f"{master_key.FILE}={path}"
    )


@contextmanager
def _registry() -> Iterator[psycopg.Connection]:
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        yield connection


def _unknown_issuer(connection: psycopg.Connection, issuer: str) -> Failure:
    from registry.licences import issuers  # noqa: PLC0415
    from shuqiao.cli.failures import unknown, usage  # noqa: PLC0415

    known = [entry.issuer.code for entry in issuers.all_issuers(connection)]
    return usage(*unknown("机构", "authority", issuer, [*known, "hub"], "shuqiao issuers list"))


def _one(connection: psycopg.Connection, beginning: str) -> Key:
    from registry.licences import keys  # noqa: PLC0415
    from shuqiao.cli.failures import unknown, usage  # noqa: PLC0415

    known = keys.all_keys(connection)
    found = [key for key in known if key.id.startswith(beginning)] if beginning else []
    if len(found) != 1:
        raise usage(*unknown("密钥", "key", beginning, [key.id for key in known], "shuqiao keys list --all"))
    return found[0]


def _ask(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _owner(key: Key) -> str:
    return key.issuer_name or "平台 hub"


def _state(key: Key) -> str:
    return f"{key.state} ({key.revocation_reason})" if key.revocation_reason else key.state


def _plain(key: Key) -> dict[str, Any]:
    names = (
        *("id", "purpose", "issuer_code", "issuer_name", "did", "state", "algorithm", "master_key_id", "not_before"),
        *("not_after", "created_at", "retired_at", "revoked_at", "revocation_reason"),
    )
    return {name: getattr(key, name) for name in names}
