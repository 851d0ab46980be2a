"""``shuqiao credit evaluate | evaluation | compare``: evaluations by scorecards, and a new card before it goes live."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    from registry.credit.comparison import Comparison, Mover
    from registry.credit.evaluations import EvaluationReport, Progress
    from registry.domain.credit.scorecard import Scorecard, Scorecards
    from shuqiao.cli.progress import Say

Enterprise = Annotated[
    str,
    typer.Argument(
        metavar="ENTERPRISE", help="统一社会信用代码或旧标识 Unified social credit code, or an old identifier."
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        show_default=False,
        help="进程数 How many processes evaluate all enterprises the first time; otherwise as many as is worth it.",
    ),
]


def evaluate(
    card: Annotated[
        str | None,
        typer.Option(help="指标卡 Only by this card, also a draft: enterprise_credit@2.", show_default=False),
    ] = None,
    processes: Processes = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """信用评价 Evaluate the enterprises whose records changed; by a card that is new, all of them.

    By every card in force, and every draft that was taken up once. Stopped and called again it goes on.
    """
    from registry.api.representations import now  # noqa: PLC0415
    from registry.domain.credit.scorecard import default_scorecards  # noqa: PLC0415
    from shuqiao import evaluation_run  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.cli.progress import telling  # noqa: PLC0415

    at, cards = now(), default_scorecards()
    chosen = [_card(cards, card)] if card else list(evaluation_run.in_force(cards, at))
    reports: dict[str, EvaluationReport] = {}
    dropped: dict[str, int] = {}
    with telling("信用评价 evaluating") as say:
        for each in chosen:
            reports[each.reference] = _kept(each, say, processes)
        if card is None:
            kept = evaluation_run.run(at, _said(say))
            # What the first pass did belongs to the same call.
            for name, report in kept.cards.items():
                if name in reports:
                    report.counts.update(reports[name].counts)
                reports[name] = report
            dropped = dict(kept.dropped)
            for name in kept.without_file:
                output.note(f"指标卡 {name} 的文件不在了 the file of the scorecard {name} is missing")
    for name, count in dropped.items():
        output.note(f"{name} 已被替换，其评价已删除 was replaced, its evaluations are dropped: {count:,}")
    if as_json:
        output.json_document({"cards": {name: _report(each) for name, each in reports.items()}, "dropped": dropped})
        return
    output.table(
        "信用评价 Evaluations",
        ["指标卡 scorecard", "评价企业 evaluated", "变动 changed", "移除 removed", "完成 complete"],
        (
            (name, each.counts["evaluated"], each.counts["written"], each.counts["removed"], each.complete)
            for name, each in reports.items()
        ),
        right=["评价企业 evaluated", "变动 changed", "移除 removed"],
        empty="没有在用的指标卡 no scorecard is in force",
    )
    if not all(each.caught_up for each in reports.values()):
        output.note(
            "有更早开始的事务或其他进程，其后的变更下次处理 an older transaction or another process still runs: "
            "what is behind it follows next time"
        )


def evaluation(
    enterprise: Enterprise,
    day: Annotated[
        str | None,
        typer.Option(help="日期 As of a day gone by, from what was held then: 2026-06-30.", show_default=False),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(help="指标卡 By this card: enterprise_credit, enterprise_credit@2.", show_default=False),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """企业评价 One enterprise by a scorecard: each factor, its weight and the records that count in it."""
    from registry.api.credit import answers as credit_answers  # noqa: PLC0415
    from registry.api.credit import evaluation_answers  # noqa: PLC0415
    from registry.api.representations import now  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from registry.domain.credit.scorecard import default_scorecards  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import credit, output, registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure, usage  # noqa: PLC0415

    at = now()
    wanted = credit.day_of(day) or china_day(at)
    if wanted > china_day(at):
        raise usage(f"日期还没有到 {wanted} has not come yet", f"expected up to {china_day(at)}", place="--day")
    chosen = _card(default_scorecards(), card, wanted)

    async def found_one(pool: Any, known: Any, one: credit_answers.Found) -> dict[str, Any]:
        del pool
        return {"found": one, "datasets": known}

    asked = credit.answered(enterprise, found_one)
    try:
        with connect(registry.url()) as connection:
            found = evaluation_answers.evaluation(connection, asked["datasets"], asked["found"], chosen, wanted, at)
    except credit_answers.UnknownEnterprise:
        cause = f"{wanted} 没有该企业的登记 no registration of {enterprise} is held for {wanted}"
        raise Failure(ExitCode.FAILED, cause, "核对代码和日期 check the code and the day") from None
    if as_json:
        output.json_document(found)
        return
    output.pairs(
        f"{found['title']['zh']} {found['title']['en']}",
        {
            "统一社会信用代码 code": found["uscc"],
            "指标卡 scorecard": found["scorecard"],
            "日期 day": found["day"],
            "等级 grade": f"{found['grade']} {found['grade_title']['zh']} {found['grade_title']['en']}",
            "得分 score": f"{found['score']} / {found['best']}",
            "等级上限 limited by": ", ".join(found["limited_by"]),
            "下次变动 changes on": found["changes_on"],
        },
    )
    output.table(
        "评价因子 Factors",
        ["因子 factor", "得分 points", "权重 weight", "说明 how"],
        (
            (
                f"{each['title']['zh']}\n{each['title']['en']}",
                each["points"],
                each["weight"],
                f"{each['sentence']['zh']}\n{each['sentence']['en']}",
            )
            for each in found["factors"]
        ),
        right=["得分 points", "权重 weight"],
    )
    output.table(
        "计分记录 Records that count",
        ["因子 factor", "数据集 dataset", "主键 key", "版本 version", "规则 rule", "分 points", "异议 disputed"],
        (
            (
                factor["name"],
                each["dataset"],
                each.get("key") or "（不再列明 not named any more）",
                each.get("version"),
                f"{each['title']['zh']}\n{each['title']['en']}",
                each["points"],
                each["disputed"],
            )
            for factor in found["factors"]
            for each in factor["records"]
        ),
        right=["版本 version", "分 points"],
        empty="没有计分的记录 no record counts",
    )
    if found["example"]:
        output.note("这是示例指标卡，各项数字须由城市自行确定 this card is an example: a city sets every number itself")


def compare(
    one: Annotated[str, typer.Argument(metavar="CARD-A", help="指标卡 A card: enterprise_credit@1.")],
    other: Annotated[str, typer.Argument(metavar="CARD-B", help="另一指标卡 Another one, also a draft.")],
    largest: Annotated[
        int, typer.Option(min=0, max=1000, help="变动最大的企业数 How many that move the most, down and up each.")
    ] = 10,
    processes: Processes = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """指标卡比较 Who moves between two scorecards, by how much and why; before the new one goes live.

    Both are brought up to the registry first; by one that was never used all enterprises are evaluated, and it is
    followed from then on.
    """
    from registry.credit.comparison import NotEvaluated  # noqa: PLC0415
    from registry.credit.comparison import compare as compared  # noqa: PLC0415
    from registry.domain.credit.scorecard import default_scorecards  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415
    from shuqiao.cli.progress import telling  # noqa: PLC0415

    cards = default_scorecards()
    before, after = _card(cards, one), _card(cards, other)
    with telling("信用评价 evaluating") as say:
        for card in (before, after):
            _kept(card, say, processes)
        say("指标卡比较 comparing")
        try:
            with connect(registry.url()) as connection:
                found = compared(connection, before, after, largest=largest)
        except NotEvaluated as error:
            cause = f"尚未评价全部企业 {error}"
            raise Failure(ExitCode.FAILED, cause, "另一进程仍在评价 another process is at it: try again") from error
    if as_json:
        output.json_document(_comparison(found))
        return
    _show(found)


def add_to(app: typer.Typer) -> None:
    """The commands of this module."""
    app.command(
        epilog=examples(
            "shuqiao credit evaluate",
            "shuqiao credit evaluate --card enterprise_credit@2 --processes 4",
            "shuqiao credit evaluate --json",
        )
    )(evaluate)
    app.command(
        epilog=examples(
            "shuqiao credit evaluation 91310000MA1FL00A0Q",
            "shuqiao credit evaluation 91310000MA1FL00A0Q --day 2026-06-30 --json",
            "shuqiao credit evaluation 91310000MA1FL00A0Q --card enterprise_credit@2",
        )
    )(evaluation)
    app.command(
        epilog=examples(
            "shuqiao credit compare enterprise_credit@1 enterprise_credit@2",
            "shuqiao credit compare enterprise_credit@1 enterprise_credit@2 --largest 50 --json",
        )
    )(compare)


def _show(found: Comparison) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    names = (found.one.reference, found.other.reference)
    output.pairs(
        f"{names[0]} → {names[1]}",
        {
            "企业 enterprises": found.enterprises,
            "升级 better grade": found.better,
            "降级 worse grade": found.worse,
            "平均分差 mean difference": _mean(found.points, found.enterprises),
        },
    )
    output.table(
        "各等级企业数 Enterprises by grade",
        ["等级 grade", names[0], names[1]],
        ((grade, *counts) for grade, counts in found.by_grade.items()),
        right=names,
    )
    output.table(
        "等级变动 From grade to grade",
        ["由 from", "到 to", "企业 enterprises"],
        ((*pair, count) for pair, count in found.grades.items() if pair[0] != pair[1]),
        right=["企业 enterprises"],
        empty="没有企业变动等级 no enterprise changes its grade",
    )
    output.table(
        "因子 Factors",
        ["因子 factor", f"权重 {names[0]}", f"权重 {names[1]}", "升 up", "降 down", "平均分差 mean"],
        (
            (
                f"{each.title.zh} {each.title.en}",
                *each.weights,
                each.up,
                each.down,
                _mean(each.points, found.enterprises),
            )
            for each in found.factors
        ),
        right=[f"权重 {names[0]}", f"权重 {names[1]}", "升 up", "降 down", "平均分差 mean"],
    )
    output.table(
        "变动最大 The largest moves",
        ["主体 entity", "由 from", "到 to", "分差 difference", "原因 why"],
        (
            (
                each.entity,
                f"{each.before.grade} {each.before.score}",
                f"{each.after.grade} {each.after.score}",
                f"{each.difference:+d}",
                "\n".join(_words(each, found)),
            )
            for each in found.largest
        ),
        right=["分差 difference"],
        empty="没有企业的得分变动 no enterprise has another score",
    )
    if any(found.only):
        output.note(f"只有一张指标卡评价的企业 evaluated by one card alone: {found.only[0]:,} / {found.only[1]:,}")


def _words(mover: Mover, found: Comparison) -> list[str]:
    """Why it moves: the factors, and limits that are not the same."""
    titles = {each.name: each.title for each in found.factors}
    words = [f"{titles[name].zh} {titles[name].en} {points:+d}" for name, points in mover.why]
    if mover.before.limited_by != mover.after.limited_by:
        limits = [", ".join(each.limited_by) or "–" for each in (mover.before, mover.after)]
        words.append(f"等级上限 limited by: {limits[0]} → {limits[1]}")
    return words


def _comparison(found: Comparison) -> dict[str, Any]:
    """As JSON can say it."""
    return {
        "one": found.one.reference,
        "other": found.other.reference,
        "enterprises": found.enterprises,
        "only_one": found.only[0],
        "only_other": found.only[1],
        "better": found.better,
        "worse": found.worse,
        "points": found.points,
        "by_grade": {grade: {"one": counts[0], "other": counts[1]} for grade, counts in found.by_grade.items()},
        "moves": [{"from": pair[0], "to": pair[1], "enterprises": count} for pair, count in found.grades.items()],
        "factors": [
            {**asdict(each), "title": {"zh": each.title.zh, "en": each.title.en}, "weights": list(each.weights)}
            for each in found.factors
        ],
        "largest": [
            {
                "entity": each.entity,
                "difference": each.difference,
                "why": [{"factor": name, "points": points} for name, points in each.why],
                "before": each.before.as_dict(),
                "after": each.after.as_dict(),
            }
            for each in found.largest
        ],
    }


def _kept(card: Scorecard, say: Say, processes: int | None) -> EvaluationReport:
    from registry.api.representations import now  # noqa: PLC0415
    from registry.credit.evaluations import OtherRules  # noqa: PLC0415
    from shuqiao import evaluation_run  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    registry.url()
    try:
        return evaluation_run.keep(card, now(), processes=processes, told=_said(say))
    except OtherRules as error:
        cause = f"规则文件不一致 another process has other rules: {error}"
        raise Failure(ExitCode.FAILED, cause, "统一规则文件后重试 use the same rule files everywhere") from error


def _said(say: Say) -> Any:
    from shuqiao import evaluation_run  # noqa: PLC0415

    def told(progress: Progress) -> None:
        say(evaluation_run.progress_words(progress))

    return told


def _card(cards: Scorecards, name: str | None, day: Any = None) -> Scorecard:
    """The card of a name or a reference, also a draft. Raises Failure that says which there are."""
    from registry.api.credit import evaluation_answers  # noqa: PLC0415
    from registry.api.representations import now  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from registry.domain.credit.scorecard import UnknownScorecard  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    known = ", ".join(f"{card.reference} ({card.status})" for card in cards.all)
    try:
        return evaluation_answers.chosen(cards, name, day or china_day(now()), drafts=True)
    except (UnknownScorecard, evaluation_answers.SeveralScorecards):
        cause = f"没有这一在用指标卡 no such scorecard: {name}" if name else "请指定指标卡 name a scorecard: --card"
        raise usage(cause, f"有 there are: {known}") from None


def _report(report: EvaluationReport) -> dict[str, Any]:
    counts = {name: report.counts[name] for name in ("evaluated", "written", "removed")}
    return {**counts, "complete": report.complete, "caught_up": report.caught_up}


def _mean(points: int, enterprises: int) -> str:
    return f"{points / enterprises:+.2f}" if enterprises else "–"
