"""``shuqiao credit case``: repairs and objections, for operators: the window of the hub, and what departments write."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shuqiao.cli.options import AsJson, AsJsonLines, examples

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from registry.credit.case_reads import Case
    from registry.domain.credit.cases import Actor, Kind, Role
    from registry.domain.credit.repair import Evidence

app = typer.Typer(
    help="信用修复与异议 Credit repairs and objections: filed by an enterprise, decided by the department that "
    "recorded the item. An operator enters here what comes to the hub on paper; systems use the API.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao credit case list --department credit --overdue",
        "shuqiao credit case show 12",
        "shuqiao credit case accept 12 --by '窗口 window'",
    ),
)

Number = Annotated[int, typer.Argument(metavar="CASE", min=1, help="编号 The number of the case.")]
By = Annotated[str, typer.Option("--by", help="经办 Who does it: an office or a position; it stands in the case.")]
Why = Annotated[str, typer.Option("--reason", help="理由 Why; the applicant reads it.")]
Said = Annotated[
    str | None, typer.Option("--reason", help="说明 What is to be said; the applicant reads it.", show_default=False)
]
As = Annotated[
    str,
    typer.Option("--as", help="身份 Who takes it on: hub (forwards it next) or department (decides it next)."),
]
KINDS = ("repair", "objection")
STATES = ("open", "closed", "all", "filed", "accepted", "forwarded", "declined", "granted", "refused", "withdrawn")
REMEDIES = ("correct", "withdraw")


@app.command(
    "list",
    epilog=examples(
        "shuqiao credit case list --department credit --overdue",
        "shuqiao credit case list --kind repair --state all --json",
    ),
)
def list_(
    department: Annotated[str | None, typer.Option(help="认定部门 Of this department.", show_default=False)] = None,
    kind: Annotated[str | None, typer.Option(help="类型 repair or objection.", show_default=False)] = None,
    enterprise: Annotated[
        str | None, typer.Option(help="统一社会信用代码 Of this enterprise.", show_default=False)
    ] = None,
    state: Annotated[str, typer.Option(help="状态 open, closed, all, or one state such as forwarded.")] = "open",
    overdue: Annotated[  # noqa: FBT002
        bool, typer.Option("--overdue", help="仅逾期 Only those whose deadline has passed.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 50,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """列出申请 Repairs and objections in the order of their filing, with what is due next and until when."""
    from registry.api.credit import case_answers as credit_case_answers  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from registry.storage.reads.credit_cases import Wanted  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    at = datetime.now(UTC)
    _expect(state, STATES, "--state")
    if kind is not None:
        _expect(kind, KINDS, "--kind")
    wanted = Wanted(
        department=department,
        kind=kind,
        entity=enterprise,
        state=state if state not in {"open", "closed", "all"} else None,
        is_open={"open": True, "closed": False}.get(state),
        overdue_on=china_day(at) if overdue else None,
    )
    found = registry.read(
        lambda pool: credit_case_answers.page(pool, wanted, None, after=0, limit=limit + 1, at=at)
    )  # fmt: skip
    if as_json:
        for each in found[:limit]:
            output.json_line(each)
    else:
        output.table(
            "信用修复与异议 Cases",
            [
                "#",
                "类型 kind",
                "主体 entity",
                "记录 key",
                "部门 department",
                "状态 state",
                "下一步 next",
                "截止 due on",
            ],
            (
                (
                    each["id"],
                    _words(each["title"]),
                    each["entity"],
                    f"{each['dataset']} {each['key']}",
                    each["department"],
                    _words(each["state_title"]),
                    each["due"] and _words(each["due"]["title"]),
                    each["due"] and _deadline(each["due"]),
                )
                for each in found[:limit]
            ),
            right=["#"],
            empty="没有申请 no case",
        )
    if len(found) > limit:
        output.note(f"还有更多，用 --limit 显示 there are more than {limit}: give a greater --limit")


@app.command(epilog=examples("shuqiao credit case show 12", "shuqiao credit case show 12 --json"))
def show(number: Number, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看申请 One case: what was asked and handed in, and everything that happened to it."""
    _show(number, as_json=as_json)


@app.command(
    epilog=examples(
        "shuqiao credit case file administrative_penalty 沪市监罚〔2026〕7号 --kind repair "
        "--enterprise 91310000MA1FL00A0Q --applicant 上海示例科技有限公司 --statement 已缴清罚款 "
        "--performance receipt.pdf --performed-on 2026-05-10 --commitment commitment.pdf --by '窗口 window'",
    )
)
def file(
    dataset: Annotated[str, typer.Argument(help="数据集 The record's dataset.")],
    key: Annotated[str, typer.Argument(help="主键 The record's key.")],
    kind: Annotated[str, typer.Option(help="类型 repair 信用修复 or objection 异议.")],
    enterprise: Annotated[str, typer.Option(help="统一社会信用代码 Of the enterprise that the record is about.")],
    applicant: Annotated[str, typer.Option(help="申请人 The enterprise's name, as it signs.")],
    statement: Annotated[str, typer.Option(help="理由 Why.")],
    by: By,
    performance: Annotated[
        Path | None,
        typer.Option(help="履行证明 File that proves that the duty was performed.", show_default=False, dir_okay=False),
    ] = None,
    performed_on: Annotated[
        str | None, typer.Option(help="履行日期 The day on which it was: 2026-05-10.", show_default=False)
    ] = None,
    commitment: Annotated[
        Path | None,
        typer.Option(help="信用承诺书 File with the public credit commitment.", show_default=False, dir_okay=False),
    ] = None,
    others: Annotated[
        list[Path] | None,
        typer.Option(
            "--evidence", help="其他材料 A further file; repeat for more.", show_default=False, dir_okay=False
        ),
    ] = None,
    reference: Annotated[
        str, typer.Option(help="窗口受理号 Your own number: with another one it is another request.")
    ] = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """提交申请 Enter a repair or an objection for an enterprise; the same again is the same case.

    Of the files only names and SHA-256 digests are kept: keep the documents themselves.
    """
    from registry.credit import cases  # noqa: PLC0415
    from registry.credit.cases import Filing  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    _expect(kind, KINDS, "--kind")
    if performance is not None and performed_on is None:
        raise usage("缺少履行日期 the day is missing", "expected --performed-on 2026-05-10", place="--performance")
    evidence = [_evidence("performance", performance, _day(performed_on))] if performance is not None else []
    evidence += [_evidence("commitment", commitment, None)] if commitment is not None else []
    evidence += [_evidence("other", each, None) for each in others or ()]
    filing = Filing(
        cast("Kind", kind), dataset, key, enterprise, applicant, statement, tuple(evidence), reference
    )  # fmt: skip
    made = _changed(
        lambda connection, handling: cases.file(
            connection, filing, filed_by=by, now=datetime.now(UTC), handling=handling
        )
    )
    _show(made.id, as_json=as_json)


@app.command(
    epilog=examples(
        "shuqiao credit case accept 12 --by '窗口 window'", "shuqiao credit case accept 12 --as department --by 法制科"
    )
)
def accept(number: Number, by: By, role: As = "hub", as_json: AsJson = False) -> None:  # noqa: FBT002
    """受理 Take a case on."""
    from registry.credit import cases  # noqa: PLC0415

    _step(cases.accept, number, _role(role), by, as_json=as_json)


@app.command(epilog=examples("shuqiao credit case decline 12 --by '窗口 window' --reason 材料与该记录无关"))
def decline(
    number: Number,
    by: By,
    reason: Why,
    role: As = "hub",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """不予受理 Not take a case on, and say why; an objection's mark ends."""
    from registry.credit import cases  # noqa: PLC0415

    _step(cases.decline, number, _role(role), by, reason, as_json=as_json)


@app.command(epilog=examples("shuqiao credit case forward 12 --by '窗口 window'"))
def forward(number: Number, by: By, reason: Said = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """转办 Pass an accepted case on to the department that recorded the item."""
    from registry.credit import cases  # noqa: PLC0415

    _step(cases.forward, number, "hub", by, reason, as_json=as_json)


@app.command(epilog=examples("shuqiao credit case extend 12 --by 法制科 --reason 需向第三方核实"))
def extend(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """延长期限 Put the decision's deadline off, once, for the department, where the place's rule allows it."""
    from registry.credit import cases  # noqa: PLC0415

    _step(cases.extend, number, "department", by, reason, as_json=as_json)


@app.command(
    epilog=examples(
        "shuqiao credit case grant 12 --by 法制科 --reason 经核实已履行义务",
        "shuqiao credit case grant 13 --by 法制科 --remedy correct",
    )
)
def grant(
    number: Number,
    by: By,
    reason: Said = None,
    remedy: Annotated[
        str | None,
        typer.Option(help="处理方式 Of an objection, needed: correct (更正) or withdraw (撤销).", show_default=False),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """支持 Enter the department's decision for the applicant: a repaired record is no longer published nor shared."""
    from registry.credit import cases  # noqa: PLC0415

    if remedy is not None:
        _expect(remedy, REMEDIES, "--remedy")
    _step(cases.decide, number, "department", by, reason, as_json=as_json, granted=True, remedy=remedy)


@app.command(epilog=examples("shuqiao credit case refuse 12 --by 法制科 --reason 义务尚未履行"))
def refuse(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """不予支持 Enter the department's decision against the applicant, and why."""
    from registry.credit import cases  # noqa: PLC0415

    _step(cases.decide, number, "department", by, reason, as_json=as_json, granted=False)


@app.command(epilog=examples("shuqiao credit case withdraw 12"))
def withdraw(number: Number, reason: Said = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """撤回 Take a case back for the enterprise that filed it."""
    from registry.credit import cases  # noqa: PLC0415

    _step(cases.withdraw, number, "applicant", None, reason, as_json=as_json)


def _step(
    work: Callable[..., Case],
    number: int,
    role: Role,
    by: str | None,
    *arguments: object,
    as_json: bool,
    **options: object,
) -> None:
    """Take a step, and show the case as it stands then. Raises CreditRefused."""
    from registry.credit import case_reads, cases  # noqa: PLC0415

    def done(connection: psycopg.Connection, handling: Any) -> Case:
        case = case_reads.one(connection, number)
        if case is None:
            raise cases.CaseUnknown(number)
        actor = _actor(case, role, by)
        return work(connection, number, actor, *arguments, now=datetime.now(UTC), handling=handling, **options)

    _changed(done)
    _show(number, as_json=as_json)


def _actor(case: Case, role: Role, by: str | None) -> Actor:
    from registry.domain.credit.cases import Actor  # noqa: PLC0415

    return Actor(role, case.applicant if by is None else by, case.department if role == "department" else None)


def _changed(work: Callable[[psycopg.Connection, Any], Case]) -> Case:
    from registry.credit.cases import Handling  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao import settings  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    with connect(registry.url(), application="shuqiao credit case") as connection:
        return work(connection, Handling(settings.read().credit_place))


def _show(number: int, *, as_json: bool) -> None:
    from registry.api.credit import case_answers as credit_case_answers  # noqa: PLC0415
    from registry.domain.credit.cases import ROLES  # noqa: PLC0415
    from registry.storage.reads import credit_cases  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    async def read(pool: Any) -> dict[str, Any] | None:
        row = await credit_cases.one(pool, number)
        return None if row is None else await credit_case_answers.whole(pool, row, ROLES, datetime.now(UTC))

    found = registry.read(read)
    if found is None:
        raise usage(f"没有编号为 {number} 的申请 there is no case {number}", "shuqiao credit case list --state all")
    if as_json:
        output.json_document(found)
        return
    due = found["due"]
    output.pairs(
        f"{_words(found['title'])} #{number}",
        {
            "状态 state": _words(found["state_title"]),
            "申请人 applicant": f"{found['applicant']} {found['entity']}",
            "记录 record": f"{found['dataset']} {found['key']}",
            "认定部门 department": found["department"],
            "理由 statement": found["statement"],
            "材料 evidence": "\n".join(
                f"{each['kind']} {each['title']} {each['dated'] or ''} sha256:{each['sha256']}"
                for each in found["evidence"]
            ),
            "适用规则 rules": found["rules"],
            "下一步 next": None if due is None else f"{_words(due['title'])} {_deadline(due)}",
            "决定 decision": found["decision"],
            "处理方式 remedy": found["remedy"],
        },
    )
    output.table(
        "经过 What happened",
        ["#", "时间 at", "事项 what", "由 by", "说明 said"],
        (
            (
                each["number"],
                each["at"],
                _words(each["title"]),
                f"{_words(each['role_title'])}: {each['actor']}",
                each["text"],
            )
            for each in found["events"]
        ),
        right=["#"],
    )
    if found["possible"]:
        output.note(f"可以 possible now: {', '.join(each['action'] for each in found['possible'])}")


def _evidence(kind: str, path: Path, dated: date | None) -> Evidence:
    """A document by its name and digest. Raises Failure if it cannot be read."""
    import hashlib  # noqa: PLC0415

    from registry.domain.credit.repair import Evidence  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        with path.open("rb") as document:
            return Evidence(kind, path.name, hashlib.file_digest(document, "sha256").hexdigest(), dated)
    except OSError as error:
        raise usage(f"无法读取材料 cannot read the document: {error.strerror}", place=str(path)) from None


def _role(text: str) -> Role:
    _expect(text, ("hub", "department"), "--as")
    return cast("Role", text)


def _expect(text: str, allowed: tuple[str, ...], option: str) -> None:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if text not in allowed:
        raise usage(f"不能是 cannot be {text!r}", f"expected one of {', '.join(allowed)}", place=option)


def _day(text: str | None) -> date | None:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise usage(f"无法识别的日期 {text!r} is no day", "expected 2026-05-10", place="--performed-on") from None


def _deadline(due: dict[str, Any]) -> str:
    assumed = " (推定 assumed)" if due["assumed"] else ""
    late = " 逾期 overdue" if due["overdue"] else ""
    return f"{due['on']}{assumed}{late}"


def _words(title: dict[str, str]) -> str:
    return f"{title['zh']} {title['en']}"
