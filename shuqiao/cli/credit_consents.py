"""``shuqiao credit consent``: consents of enterprises, for operators: what comes to the hub on paper, and its uses."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, AsJsonLines, examples

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from registry.credit.consents import ConsentUse, EnteredConsent

app = typer.Typer(
    help="企业授权 Consents of enterprises: who may read which of their data, for what, until when; and who did.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao credit consent list --enterprise 91310000MA1FL00A0Q",
        "shuqiao credit consent uses 91310000MA1FL00A0Q",
        "shuqiao credit consent revoke 6f1b9a52-3c0e-4a57-9f55-0a4ad4c0a9d1",
    ),
)

Consent = Annotated[str, typer.Argument(metavar="CONSENT", help="编号 The consent's id.")]
Enterprise = Annotated[
    str, typer.Argument(metavar="ENTERPRISE", help="统一社会信用代码 The enterprise's unified social credit code.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")]
GIVEN_BY = "operator"


@app.command(
    epilog=examples(
        "shuqiao credit consent give 91310000MA1FL00A0Q --grantee client-0123456789abcdef --purpose credit_lending "
        "--item registration --item tax_credit_rating --until 2027-05-23 --evidence consent.pdf",
    )
)
def give(
    enterprise: Enterprise,
    grantee: Annotated[str, typer.Option(help="被授权机构 The client that may read: see shuqiao clients list.")],
    purpose: Annotated[str, typer.Option(help="用途 What for, such as credit_lending.")],
    items: Annotated[list[str], typer.Option("--item", "-i", help="数据项 A data item; repeat for more.")],
    until: Annotated[str, typer.Option(help="截止日 The last day on which it holds: 2027-05-23.")],
    evidence: Annotated[
        Path, typer.Option(help="授权书 The signed form or sealed document; only its SHA-256 is kept.", dir_okay=False)
    ],
    since: Annotated[
        str | None, typer.Option("--from", help="起始日 The first day; without: today.", show_default=False)
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """登记授权 Enter a consent that came on paper; the same document again is the consent that is there."""
    from registry.credit import consents  # noqa: PLC0415
    from registry.domain.credit.lending import default_lending_rules  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from schemas.identifiers import is_uscc  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if not is_uscc(enterprise):
        cause = f"代码的校验位不符 the check character of {enterprise} does not fit"
        raise usage(cause, "核对代码 compare it with its document", place="ENTERPRISE")
    default_lending_rules().expect_known(items, purpose)
    now = datetime.now(UTC)
    begins = _midnight(since or f"{china_day(now)}", "--from")
    ends = _midnight(until, "--until") + timedelta(days=1)
    digest = _digest(evidence)

    def work(connection: psycopg.Connection) -> EnteredConsent | None:
        made = consents.give(
            connection, enterprise, grantee, purpose, items, valid_from=begins, valid_until=ends,
            evidence_digest=digest, given_by=GIVEN_BY, now=now,
        )  # fmt: skip
        return consents.entered(connection, made.id)

    _show(_on_registry(work), as_json=as_json)


@app.command(
    "list",
    epilog=examples(
        "shuqiao credit consent list --enterprise 91310000MA1FL00A0Q --all",
        "shuqiao credit consent list --grantee client-0123456789abcdef --json",
    ),
)
def list_(
    enterprise: Annotated[str | None, typer.Option(help="企业 Of this enterprise.", show_default=False)] = None,
    grantee: Annotated[str | None, typer.Option(help="被授权机构 Given to this client.", show_default=False)] = None,
    everything: Annotated[  # noqa: FBT002
        bool, typer.Option("--all/--holding", help="全部或仅有效 Ended ones too, or only those that hold now.")
    ] = False,
    limit: Limit = 50,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """列出授权 Consents in the order in which they were entered."""
    from registry.api.credit.lending_answers import consent  # noqa: PLC0415
    from registry.credit import consents  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    now = datetime.now(UTC)
    rows = _on_registry(
        lambda connection: consents.listed(
            connection, entity=enterprise, grantee=grantee, holding_at=None if everything else now, limit=limit + 1
        )
    )
    found = [consent(each, now) for each in rows]
    if as_json:
        for each in found[:limit]:
            output.json_line(each)
    else:
        output.table(
            "企业授权 Consents",
            [
                "编号 key",
                "主体 subject",
                "被授权机构 client_id",
                "用途 purpose",
                "数据项 items",
                "至 until",
                "状态 state",
            ],
            (
                (each["id"], each["subject"], each["grantee"], each["purpose"], ", ".join(each["items"]),
                 each["valid_until"], each["state"])
                for each in found[:limit]
            ),
            empty="没有授权 no consent",
        )  # fmt: skip
    _more(len(found), limit)


@app.command(epilog=examples("shuqiao credit consent show 6f1b9a52-3c0e-4a57-9f55-0a4ad4c0a9d1 --json"))
def show(consent: Consent, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看授权 One consent as it stands, and every use of it."""
    from registry.credit import consents  # noqa: PLC0415

    _show(_on_registry(lambda connection: consents.entered(connection, consent)), as_json=as_json, name=consent)


@app.command(epilog=examples("shuqiao credit consent revoke 6f1b9a52-3c0e-4a57-9f55-0a4ad4c0a9d1"))
def revoke(consent: Consent, as_json: AsJson = False) -> None:  # noqa: FBT002
    """撤销授权 End a consent: the next request by it is refused. Doing it again changes nothing."""
    from registry.credit import consents  # noqa: PLC0415

    def work(connection: psycopg.Connection) -> EnteredConsent | None:
        if consents.entered(connection, consent) is None:
            return None
        consents.revoke(connection, consent, revoked_by=GIVEN_BY, now=datetime.now(UTC))
        return consents.entered(connection, consent)

    _show(_on_registry(work), as_json=as_json, name=consent)


@app.command(epilog=examples("shuqiao credit consent uses 91310000MA1FL00A0Q --json"))
def uses(enterprise: Enterprise, limit: Limit = 1000, as_json: AsJsonLines = False) -> None:  # noqa: FBT002
    """使用记录 Who used any of an enterprise's consents: when, which items, for which case."""
    from registry.api.credit.lending_answers import consent_use  # noqa: PLC0415
    from registry.credit import consents  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    rows = _on_registry(lambda connection: consents.uses_of_entity(connection, enterprise, limit=limit + 1))
    if as_json:
        for each in rows[:limit]:
            output.json_line(consent_use(each))
    else:
        _table_of_uses(rows[:limit])
    _more(len(rows), limit)


def _show(found: EnteredConsent | None, *, as_json: bool, name: str = "") -> None:
    """A consent with its uses. Raises Failure if there is none."""
    from registry.api.credit.lending_answers import consent, consent_use  # noqa: PLC0415
    from registry.credit import consents  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if found is None:
        raise usage(f"没有授权 {name} there is no such consent", "shuqiao credit consent list --all")
    said = consent(found, datetime.now(UTC))
    rows = _on_registry(lambda connection: consents.uses(connection, found.consent.id))
    if as_json:
        output.json_document(said | {"uses": [consent_use(each) for each in rows]})
        return
    output.pairs(
        f"企业授权 Consent {said['id']}",
        {
            "状态 state": said["state"],
            "主体 subject": said["subject"],
            "被授权机构 grantee": said["grantee"],
            "用途 purpose": said["purpose"],
            "数据项 items": ", ".join(said["items"]),
            "自 from": said["valid_from"],
            "至 until": said["valid_until"],
            "授权书摘要 evidence": said["evidence_digest"],
            "登记 entered": f"{said['given_by']}, {said['created_at']:%Y-%m-%d %H:%M:%S}Z",
            "撤销 revoked": said["revoked_at"],
        },
    )
    _table_of_uses(rows)


def _table_of_uses(rows: list[ConsentUse]) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    output.table(
        "使用记录 Uses",
        ["时间 at", "查询机构 client_id", "数据项 items", "答复 answer", "业务编号 case", "授权 key"],
        (
            (each.at, each.client, ", ".join(each.items), each.answer, each.case_number, each.consent_id)
            for each in rows
        ),
        empty="没有使用过 never used",
    )


def _more(found: int, limit: int) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    if found > limit:
        output.note(f"还有更多，用 --limit 显示 there are more than {limit}: give a greater --limit")


def _midnight(text: str, option: str) -> datetime:
    from datetime import date  # noqa: PLC0415

    from registry.domain.credit.marks import CHINA  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        return datetime.combine(date.fromisoformat(text), time(), CHINA)
    except ValueError:
        raise usage(f"无法识别的日期 {text!r} is no day", "expected 2027-05-23", place=option) from None


def _digest(path: Path) -> bytes:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        content = path.read_bytes()
    except OSError as error:
        raise usage(f"无法读取 {path} cannot be read: {error.strerror}", place="--evidence") from None
    if not content:
        raise usage(f"{path} 是空文件 is empty", "给出授权书 give the signed form", place="--evidence")
    return hashlib.sha256(content).digest()


def _on_registry(work: Callable[[psycopg.Connection], Any]) -> Any:
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    with connect(registry.url(), application="shuqiao credit consent") as connection:
        return work(connection)
