"""``shuqiao credit match``: records without a code and whom they may be about; what a person decides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, AsJsonLines, examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.credit.matching import Match

app = typer.Typer(
    help="匹配 Records without a code: which enterprise each may be about, and why. Nothing is merged by its score: a "
    "rule or a person accepts it, with a reason, and can take it back.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao credit match list",
        "shuqiao credit match show 7",
        "shuqiao credit match accept 7 --by 归集科 --reason 登记档案一致",
    ),
)

STATES = ("candidate", "accepted", "rejected", "undone", "lapsed", "all")
Number = Annotated[int, typer.Argument(metavar="MATCH", min=1, help="编号 The number of the match.")]
By = Annotated[str, typer.Option("--by", help="经办 Who decides; it stays on record.")]
Why = Annotated[str, typer.Option("--reason", help="理由 Why; it stays on record.")]


@app.command("list", epilog=examples("shuqiao credit match list", "shuqiao credit match list --state accepted --json"))
def list_(
    state: Annotated[
        str, typer.Option(help="状态 candidate (they wait for a person), accepted, rejected, undone, lapsed or all.")
    ] = "candidate",
    dataset: Annotated[str | None, typer.Option(help="数据集 Records of this dataset.", show_default=False)] = None,
    enterprise: Annotated[
        str | None, typer.Option(help="统一社会信用代码 With this enterprise.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 50,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """列出匹配 Matches in the order found, each with its score and what speaks for it."""
    from registry.api.credit import match_answers as credit_match_answers  # noqa: PLC0415
    from registry.storage.reads.credit_matches import Wanted  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if state not in STATES:
        raise usage(f"没有这种状态 no such state: {state}", f"expected one of {', '.join(STATES)}", place="--state")
    wanted = Wanted(None if state == "all" else state, dataset, enterprise)
    found = registry.read(lambda pool: credit_match_answers.page(pool, wanted, after=0, limit=limit + 1))
    if as_json:
        for each in found[:limit]:
            output.json_line(each)
    else:
        output.table(
            "匹配 Matches",
            ["#", "记录 key", "主体 entity", "得分 score", "依据 because of", "状态 state", "由 by"],
            (
                (
                    each["id"],
                    f"{each['dataset']} {each['key']}",
                    each["entity"],
                    f"{each['score']:.2f}",
                    _because(each["features"]),
                    _words(each["state_title"]),
                    each["decided_by"],
                )
                for each in found[:limit]
            ),
            right=["#"],
            empty="没有待确认的匹配 no match in this state",
        )
    if len(found) > limit:
        output.note(f"还有更多，用 --limit 显示 there are more than {limit}: give a greater --limit")


@app.command(epilog=examples("shuqiao credit match show 7", "shuqiao credit match show 7 --json"))
def show(number: Number, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看匹配 One match: what was compared, every decision, and what else was matched with the record."""
    _show(number, as_json=as_json)


@app.command(epilog=examples("shuqiao credit match accept 7 --by 归集科 --reason 登记档案一致"))
def accept(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """确认归集 The record is about the enterprise: it enters its file, and other candidates lapse."""
    from registry.credit import matching  # noqa: PLC0415

    _decide(matching.accept, number, by, reason, as_json=as_json)


@app.command(epilog=examples("shuqiao credit match reject 7 --by 归集科 --reason 同名的另一企业"))
def reject(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """否定 The record is not about the enterprise; it is not proposed again for the same words."""
    from registry.credit import matching  # noqa: PLC0415

    _decide(matching.reject, number, by, reason, as_json=as_json)


@app.command(epilog=examples("shuqiao credit match undo 7 --by 归集科 --reason 归集有误"))
def undo(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """撤销归集 Take an accepted match back, a rule's too: the record leaves the enterprise's file."""
    from registry.credit import matching  # noqa: PLC0415

    _decide(matching.undo, number, by, reason, as_json=as_json)


@app.command(epilog=examples("shuqiao credit match reopen 7 --by 归集科 --reason 当时看错了档案"))
def reopen(number: Number, by: By, reason: Why, as_json: AsJson = False) -> None:  # noqa: FBT002
    """重新匹配 Take a rejection or an undoing back: the record is matched anew with the next run."""
    from registry.credit import matching  # noqa: PLC0415

    _decide(matching.reopen, number, by, reason, as_json=as_json)


def _decide(work: Callable[..., Match], number: int, by: str, reason: str, *, as_json: bool) -> None:
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    with connect(registry.url(), application="shuqiao credit match") as connection:
        work(connection, number, by=by, reason=reason, now=datetime.now(UTC))
    _show(number, as_json=as_json)


def _show(number: int, *, as_json: bool) -> None:
    from registry.api.credit import match_answers as credit_match_answers  # noqa: PLC0415
    from registry.storage.reads import credit_matches  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    async def read(pool: Any) -> dict[str, Any] | None:
        row = await credit_matches.one(pool, number)
        return None if row is None else await credit_match_answers.whole(pool, row)

    found = registry.read(read)
    if found is None:
        raise usage(f"没有匹配 {number} there is no match {number}", "shuqiao credit match list --state all")
    if as_json:
        output.json_document(found)
        return
    record, enterprise = found["record"] or {}, found["enterprise"]
    output.pairs(
        f"匹配 Match {number}",
        {
            "状态 state": _words(found["state_title"]),
            "得分 score": found["score"],
            "记录 record": f"{found['dataset']} {found['key']}",
            "所载名称 stated name": record.get("name"),
            "所载地址 stated address": record.get("address"),
            "主体 entity": found["entity"],
            "名称 names": "\n".join(enterprise["names"]),
            "曾用名 former names": "\n".join(enterprise["former_names"]),
            "地址 addresses": "\n".join(enterprise["addresses"]),
            **{f"{name}": value for name, value in found["features"].items()},
        },
    )
    output.table(
        "决定 Decisions",
        ["时间 at", "决定 decision", "由 by", "理由 reason"],
        ((each["at"], each["decision"], each["decided_by"], each["reason"]) for each in found["decisions"]),
        empty="尚无决定 nothing decided yet",
    )
    if found["others"]:
        output.table(
            "该记录的其他匹配 Other matches of this record",
            ["#", "主体 entity", "得分 score", "状态 state", "由 by"],
            (
                (each["id"], each["entity"], f"{each['score']:.2f}", each["state"], each["decided_by"])
                for each in found["others"]
            ),
            right=["#"],
        )


_WORDS = {
    "name": ("名称", "name"),
    "legal_representative": ("法定代表人", "representative"),
    "division": ("区划", "division"),
    "address": ("地址", "address"),
}


def _because(features: dict[str, Any]) -> str:
    """What speaks for and against it, in a line."""
    parts = [f"{zh} {en}: {features[name]}" for name, (zh, en) in _WORDS.items() if features[name] != "unknown"]
    if features["identifier"] is not None:
        parts.append(f"旧标识 {features['identifier']}")
    if features["identifier_of_another"]:
        parts.append("旧标识属另一主体 identifier of another")
    return "\n".join(parts)


def _words(title: dict[str, str]) -> str:
    return f"{title['zh']} {title['en']}"
