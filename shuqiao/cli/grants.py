"""``shuqiao grants``: who may read which dataset, under which terms; requests for it, and what is to be looked at."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import psycopg

    from registry.domain.grants.requests import Action
    from registry.domain.grants.terms import Terms
    from registry.grants.giving import HeldGrant
    from registry.grants.requests import GrantRequest

app = typer.Typer(
    help="共享授权 Who may read which dataset: which fields and records, what for, until when. A client reads nothing"
    " without a grant; see docs/grants.md.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao grants give client-0123456789abcdef legal_entity --field name --field status --purpose credit_lending"
        " --approval '市监函〔2026〕12号'",
        "shuqiao grants requests --overdue",
        "shuqiao grants report",
    ),
)

Client = Annotated[str, typer.Argument(metavar="CLIENT", help="客户端编号 The client: see shuqiao clients list.")]
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="资源 The dataset: see shuqiao datasets.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="编号 The number of the grant or request.")]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        "-f",
        help="字段 A field; repeat for more. Left out: all, personal values masked; they are in clear only if their"
        " field is named. The key is always there.",
    ),
]
Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", "-p", help="用途 What for, stated with each request: credit_lending. Repeat for more."),
]
CaseNumber = Annotated[
    bool, typer.Option("--case-number", help="须给出业务编号 Each request must name the client's own case.")
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        "--row", "-r", help="行级范围 Only records with this value: division=330203. Repeat for more values or fields."
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="截止日 The last day on which it holds: 2027-11-22. Left out: a year from now."),
]
Quota = Annotated[
    int | None,
    typer.Option("--quota", min=1, help="每日次数 Answers a day, by China Standard Time. Left out: no limit."),
]
LessFields = Annotated[
    list[str] | None,
    typer.Option("--field", "-f", help="字段 Only these fields; repeat for more. Left out: those that were asked for."),
]
LessRows = Annotated[
    list[str] | None,
    typer.Option(
        "--row", "-r", help="行级范围 Only records with this value: division=330203. Left out: as was asked for."
    ),
]
LessUntil = Annotated[
    str | None,
    typer.Option("--until", help="截止日 The last day on which it holds: 2027-11-22. Left out: as was asked for."),
]
LessQuota = Annotated[
    int | None,
    typer.Option("--quota", min=1, help="每日次数 Answers a day, by China Standard Time. Left out: as was asked for."),
]
Basis = Annotated[
    str,
    typer.Option("--legal-basis", help="依据 The rule, duty or agreement by which the data is needed."),
]
By = Annotated[str, typer.Option("--by", help="经办 Who does it: an office. It stays on record.")]
Why = Annotated[str, typer.Option("--reason", help="理由 Why; it stays on record and the client reads it.")]
OPERATOR = "operator"


@app.command(
    epilog=examples(
        "shuqiao grants give client-0123456789abcdef legal_entity -f name -f status -p credit_lending --case-number"
        " --approval '市监函〔2026〕12号'",
        "shuqiao grants give client-0123456789abcdef utility_payment --row utility=water --until 2027-06-30"
        " --quota 1000 --approval '水务函〔2026〕3号'",
        "shuqiao grants give client-0123456789abcdef serious_dishonesty --legal-basis '企业信息公示暂行条例第二十条'",
    )
)
def give(
    client: Client,
    dataset: Dataset,
    fields: Fields = None,
    purposes: Purposes = None,
    case_number: CaseNumber = False,  # noqa: FBT002
    rows: Rows = None,
    until: Until = None,
    quota: Quota = None,
    legal_basis: Basis = "",
    approval: Annotated[
        str,
        typer.Option(
            "--approval", help="部门同意 The owning department's document, needed for what is shared conditionally."
        ),
    ] = "",
    schema: Annotated[
        str | None,
        typer.Option("--schema", help="版本 The version in which it gets records: legal_entity@1. Left out: today's."),
    ] = None,
    by: By = OPERATOR,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """授权 Give a client a dataset, or change what it has: its next version holds at once, the old one stays on record.

    How the dataset is shared decides what it takes: 无条件 nothing more; 有条件 the owning department's approval
    (--approval, or let the client file a request); 不予共享 the law that allows it all the same (--legal-basis).
    """
    from registry.grants import giving  # noqa: PLC0415

    terms = _terms(fields, purposes, rows, until, quota, legal_basis, case_number=case_number)
    made = _done(lambda it: giving.give(it, client, dataset, terms, given_by=by, approval=approval, schema=schema))
    _show_grant(made, as_json=as_json)


@app.command(
    "list", epilog=examples("shuqiao grants list", "shuqiao grants list --dataset legal_entity --ended --json")
)
def list_(
    client: Annotated[str | None, typer.Option("--client", help="客户端 Only of this client.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="资源 Only of this dataset.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="含历史 Also those that were changed or revoked.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出授权 Every grant that stands, with how it is used."""
    from registry.grants import giving, reporting  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    now = datetime.now(UTC)

    def work(connection: psycopg.Connection) -> tuple[list[HeldGrant], Any]:
        found = giving.held(connection, client_id=client, dataset=dataset, ended=ended)
        return found, reporting.usage(connection, found, now)

    found, used = _done(work)
    if as_json:
        output.json_document([{**asdict(each), "usage": asdict(used[each.id])} for each in found])
        return
    output.table(
        "授权 Grants",
        [
            "编号 no.", "客户端 client", "资源 dataset", "字段 fields", "用途 purposes", "至 until",
            "今日/日限 today/quota", "最近 last",
        ],
        (
            (
                f"{each.id}" + (f" ({each.ended_because})" if each.ended_because else ""),
                each.client_name, each.dataset, _few(each.fields), _few(each.purposes, "—"), each.valid_until,
                f"{used[each.id].today} / {each.daily_quota or '∞'}", used[each.id].last_used_at,
            )
            for each in found
        ),
        empty="还没有授权 no grant yet: shuqiao grants give --help",
    )  # fmt: skip


@app.command(epilog=examples("shuqiao grants show 3"))
def show(number: Number, as_json: AsJson = False) -> None:  # noqa: FBT002
    """授权详情 One grant with its terms."""
    from registry.grants import giving  # noqa: PLC0415

    _show_grant(_done(lambda connection: giving.one(connection, number)), as_json=as_json)


@app.command(epilog=examples("shuqiao grants revoke 3 --reason 用途已终止"))
def revoke(number: Number, reason: Why, by: By = OPERATOR, as_json: AsJson = False) -> None:  # noqa: FBT002
    """撤销授权 End a grant; within a moment the client reads by it no more."""
    from registry.grants import giving  # noqa: PLC0415

    ended = _done(lambda connection: giving.revoke(connection, number, by=by, reason=reason))
    _show_grant(ended, as_json=as_json)


@app.command(
    epilog=examples(
        "shuqiao grants file client-0123456789abcdef legal_entity -p credit_lending -f name"
        " --legal-basis '国办发〔2021〕52号' --statement '授信审批时核对登记信息'"
    )
)
def file(
    client: Client,
    dataset: Dataset,
    statement: Annotated[str, typer.Option("--statement", help="申请理由 What the data is for, in words.")],
    legal_basis: Basis,
    purposes: Annotated[list[str], typer.Option("--purpose", "-p", help="用途 What for: credit_lending.")],
    fields: Fields = None,
    case_number: CaseNumber = False,  # noqa: FBT002
    rows: Rows = None,
    until: Until = None,
    quota: Quota = None,
    by: By = OPERATOR,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """提交申请 Enter a request for a client that asked on paper; clients themselves POST /api/v1/grants/requests."""
    from registry.grants import requests  # noqa: PLC0415

    terms = _terms(fields, purposes, rows, until, quota, legal_basis, case_number=case_number)
    made = _done(lambda it: requests.file(it, client, dataset, terms, statement, by=by, now=datetime.now(UTC)))
    _show_request(made, as_json=as_json)


@app.command(
    "requests",
    epilog=examples(
        "shuqiao grants requests", "shuqiao grants requests 12", "shuqiao grants requests --state all --json"
    ),
)
def requests_(
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="编号 One request, with what happened.")
    ] = None,
    state: Annotated[str, typer.Option("--state", help="状态 open, all, or one state such as refused.")] = "open",
    department: Annotated[str | None, typer.Option("--department", help="部门 Only of its datasets.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="仅逾期 Only those whose last day has passed.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """申请列表 Requests for grants, with the last day of their next step."""
    from registry.domain.grants.requests import STATES, TITLES  # noqa: PLC0415
    from registry.grants import requests  # noqa: PLC0415
    from registry.storage.grant_uses import day_of  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if number is not None:
        _show_request(_done(lambda connection: requests.one(connection, number)), as_json=as_json)
        return
    if state not in {"open", "all", *STATES}:
        raise usage(f"没有状态 there is no state {state!r}", f"open, all, {', '.join(STATES)}", place="--state")
    late = day_of(datetime.now(UTC)) if overdue else None
    found = _done(
        lambda it: requests.listed(
            it, departments=None if department is None else [department], state=state, overdue_on=late
        )
    )
    if as_json:
        output.json_document([asdict(each) for each in found])
        return
    output.table(
        "共享申请 Requests",
        ["编号 no.", "客户端 client", "资源 dataset", "部门 department", "用途 purposes", "状态 state", "期限 due"],
        (
            (
                each.id, each.client_name, each.dataset, each.department, ", ".join(each.purposes),
                " ".join(TITLES[each.state]), each.due_on,
            )
            for each in found
        ),
        empty="没有申请 no such request",
    )  # fmt: skip


@app.command(epilog=examples("shuqiao grants check 12"))
def check(number: Number, by: By = OPERATOR, as_json: AsJson = False) -> None:  # noqa: FBT002
    """规范性审核 Find a request complete and as it should be; the clock of the department's answer begins."""
    _step(number, "check", by, "", as_json=as_json)


@app.command("return", epilog=examples("shuqiao grants return 12 --reason 未注明依据条款"))
def return_(number: Number, reason: Why, by: By = OPERATOR, as_json: AsJson = False) -> None:  # noqa: FBT002
    """退回补正 Give back a request that is not as it should be, and say why."""
    _step(number, "return", by, reason, as_json=as_json)


@app.command(
    epilog=examples(
        "shuqiao grants approve 12 --by 市场监管局信用科", "shuqiao grants approve 12 --by tax --until 2027-05-22"
    )
)
def approve(
    number: Number,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="意见 A remark; it stays on record.")] = "",
    fields: LessFields = None,
    rows: LessRows = None,
    until: LessUntil = None,
    quota: LessQuota = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """同意 Enter the answer of whoever decides: all that was asked for, or, with options, less. It holds at once."""
    from dataclasses import replace  # noqa: PLC0415

    asked = _terms(fields, None, rows, until, quota, "", case_number=False)

    def less(terms: Terms) -> Terms:
        return replace(
            terms,
            fields=terms.fields if asked.fields is None else asked.fields,
            rows={**terms.rows, **asked.rows},
            valid_until=asked.valid_until or terms.valid_until,
            daily_quota=asked.daily_quota or terms.daily_quota,
        )

    _step(number, "approve", by, reason, less=less, as_json=as_json)


@app.command(epilog=examples("shuqiao grants refuse 12 --by 税务局数据科 --reason 用途与所述职责不符"))
def refuse(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """不予同意 Enter the refusal of whoever decides, with the reasons."""
    _step(number, "refuse", by, reason, as_json=as_json)


@app.command(epilog=examples("shuqiao grants report", "shuqiao grants report --expiring 60 --unused 180 --json"))
def report(
    expiring: Annotated[int | None, typer.Option("--expiring", min=1, help="天数 Ending within so many days.")] = None,
    unused: Annotated[int | None, typer.Option("--unused", min=1, help="天数 Not used for so many days.")] = None,
    department: Annotated[str | None, typer.Option("--department", help="部门 Only of its datasets.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """到期与逾期 What is to be looked at: grants about to end or that nobody uses, requests not answered in time."""
    from registry.grants import reporting  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    found = _done(
        lambda it: reporting.report(
            it,
            datetime.now(UTC),
            departments=None if department is None else [department],
            expiring_days=expiring,
            unused_days=unused,
        )
    )
    if as_json:
        output.json_document(asdict(found))
        return
    kinds: Sequence[tuple[str, Sequence[HeldGrant]]] = (
        ("已到期 expired", found.expired),
        (f"{found.expiring_days} 天内到期 ending within {found.expiring_days} days", found.expiring),
        (f"{found.unused_days} 天未使用 not used for {found.unused_days} days", found.unused),
    )
    for title, grants in kinds:
        output.table(
            title,
            ["编号 no.", "客户端 client", "资源 dataset", "至 until"],
            ((each.id, each.client_name, each.dataset, each.valid_until) for each in grants),
            empty=f"{title}: 无 none",
        )
    output.table(
        "逾期申请 overdue requests",
        ["编号 no.", "客户端 client", "资源 dataset", "部门 department", "期限 due"],
        ((each.id, each.client_name, each.dataset, each.department, each.due_on) for each in found.overdue),
        empty="逾期申请 overdue requests: 无 none",
    )


def _step(
    number: int,
    action: Action,
    by: str,
    reason: str,
    *,
    less: Callable[[Terms], Terms] | None = None,
    as_json: bool,
) -> None:
    """Take a step as whoever may take it: at the desk the operator enters what departments answered on paper."""
    from registry.domain.grants.requests import Party, decider  # noqa: PLC0415
    from registry.grants import requests  # noqa: PLC0415

    def work(connection: psycopg.Connection) -> GrantRequest:
        held = requests.one(connection, number)
        department = action in {"approve", "refuse"} and decider(held.sharing) == "department"
        party = Party("department", by, frozenset({held.department})) if department else Party("hub", by)
        terms = None if less is None else less(held.terms)
        return requests.step(connection, number, action, party, now=datetime.now(UTC), reason=reason, less=terms)

    _show_request(_done(work), as_json=as_json)


def _done(work: Callable[[psycopg.Connection], Any]) -> Any:
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    with connect(registry.url(), application="shuqiao grants") as connection:
        return work(connection)


def _terms(
    fields: Sequence[str] | None,
    purposes: Sequence[str] | None,
    rows: Sequence[str] | None,
    until: str | None,
    quota: int | None,
    legal_basis: str,
    *,
    case_number: bool,
) -> Terms:
    from registry.domain.grants.terms import Terms  # noqa: PLC0415

    return Terms(
        frozenset(fields) if fields else None,
        frozenset(purposes or ()),
        case_number,
        _rows(rows or ()),
        None if until is None else _end_of(until),
        quota,
        legal_basis,
    )


def _rows(given: Sequence[str]) -> Mapping[str, frozenset[str]]:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    found: dict[str, frozenset[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise usage(f"got {each!r}", "expected a field and a value: --row division=330203", place="--row")
        found[name] = found.get(name, frozenset()) | {value}
    return found


def _end_of(text: str) -> datetime:
    """The end of a day there."""
    from registry.storage.grant_uses import CHINA  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise usage(f"got {text!r}", "expected a day: 2027-11-22", place="--until") from None
    return datetime.combine(day + timedelta(days=1), time(), CHINA)


def _show_grant(grant: HeldGrant, *, as_json: bool) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    if as_json:
        output.json_document(asdict(grant))
        return
    output.pairs(
        f"授权 Grant {grant.id}",
        {
            "客户端 client": f"{grant.client_id} ({grant.client_name})",
            "资源 dataset": f"{grant.dataset}, {grant.schema}",
            "版本 version": grant.version,
            "字段 fields": _few(grant.fields, most=100),
            "用途 purposes": _few(grant.purposes, "—", most=100),
            "业务编号 case number": "须给出 required" if grant.case_number else "—",
            "行级范围 rows": _row_text(grant.rows),
            "有效期 valid": " – ".join(output.cell(end).plain for end in (grant.valid_from, grant.valid_until)),
            "每日次数 daily quota": grant.daily_quota or "不限 no limit",
            "依据 legal basis": grant.legal_basis or "—",
            "部门同意 approval": grant.approval or "—",
            "终止 ended": "—" if grant.ended_at is None else f"{grant.ended_because}: {grant.ended_reason or ''}",
        },
    )


def _show_request(request: GrantRequest, *, as_json: bool) -> None:
    from registry.domain.grants.requests import TITLES  # noqa: PLC0415
    from registry.grants import requests  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    events = _done(lambda connection: requests.events(connection, request.id))
    if as_json:
        output.json_document({**asdict(request), "events": [asdict(each) for each in events]})
        return
    output.pairs(
        f"共享申请 Request {request.id}",
        {
            "客户端 client": f"{request.client_id} ({request.client_name})",
            "资源 dataset": f"{request.dataset} ({request.sharing}, {request.department})",
            "申请理由 statement": request.statement,
            "依据 legal basis": request.legal_basis,
            "字段 fields": _few(request.fields, most=100),
            "用途 purposes": ", ".join(request.purposes),
            "业务编号 case number": "须给出 required" if request.case_number else "—",
            "行级范围 rows": _row_text(request.rows),
            "有效期至 valid until": request.valid_until or "一年 a year",
            "每日次数 daily quota": request.daily_quota or "不限 no limit",
            "状态 state": " ".join(TITLES[request.state]),
            "期限 due": request.due_on or "—",
            "授权 grant": request.grant_id or "—",
        },
    )
    output.table(
        "经过 What happened",
        ["时间 at", "事项 action", "经办 by", "理由 reason"],
        ((each.at, each.action, each.by, each.reason or "") for each in events),
        empty="",
    )


def _few(
    names: Sequence[str] | None, nothing: str = "全部（个人信息脱敏） all, personal masked", *, most: int = 4
) -> str:
    if not names:
        return nothing
    return ", ".join(names[:most]) + (f" … ({len(names)})" if len(names) > most else "")


def _row_text(rows: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} = {' / '.join(values)}" for name, values in rows.items()) or "全部 all"
