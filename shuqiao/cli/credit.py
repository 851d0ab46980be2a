"""``shuqiao credit``: one enterprise's file, credit record and measures; what departments have to mend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shuqiao.cli import (
    credit_cases,
    credit_consents,
    credit_counts,
    credit_evaluations,
    credit_exchange,
    credit_matches,
)
from shuqiao.cli.options import AsJson, AsJsonLines, examples
from shuqiao.cli.records import Unmasked

if TYPE_CHECKING:
    from registry.api.credit.answers import CreditReader, Found

app = typer.Typer(
    help="公共信用信息 Public credit data: an enterprise's file, its credit record, measures, discrepancies.",
    no_args_is_help=True,
    epilog=examples(
        "shuqiao credit file 91310000MA1FL00A0Q",
        "shuqiao credit measures 91310000MA1FL00A0Q --scene bidding",
        "shuqiao credit discrepancies --department tax",
        "shuqiao credit case list --overdue",
        "shuqiao credit match list",
    ),
)
app.add_typer(credit_cases.app, name="case", short_help="信用修复与异议 Credit repairs and objections.")
app.add_typer(credit_consents.app, name="consent", short_help="企业授权 Consents of enterprises, and their uses.")
app.add_typer(credit_matches.app, name="match", short_help="匹配 Records without a code: whom each may be about.")
credit_evaluations.add_to(app)
credit_exchange.add_to(app)

Enterprise = Annotated[
    str,
    typer.Argument(
        metavar="ENTERPRISE", help="统一社会信用代码或旧标识 Unified social credit code, or an old identifier."
    ),
]
Department = Annotated[str | None, typer.Option(help="部门 Of this department.", show_default=False)]
Everything = Annotated[bool, typer.Option("--all/--open", help="全部或仅未解决 Closed ones too, or only those open.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")]
READERS = ("public", "department")


@app.command(
    epilog=examples("shuqiao credit file 91310000MA1FL00A0Q", "shuqiao credit file 310000000000123 --json --unmasked")
)
def file(enterprise: Enterprise, unmasked: Unmasked = False, as_json: AsJson = False) -> None:  # noqa: FBT002
    """企业档案 One file: each field from its one source, as departments get it; personal values are masked."""
    from registry.api.credit import answers as credit_answers  # noqa: PLC0415
    from registry.api.representations import now  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    found = answered(
        enterprise, lambda pool, known, one: credit_answers.file(pool, known, one, [*known], now())
    )  # fmt: skip
    if not unmasked:
        _mask_file(found)
    if as_json:
        output.json_document(found)
        return
    output.table(
        f"企业档案 File of {found['uscc']}",
        ["字段 field", "值 value", "来源部门 department", "权威 authoritative", "天 age in days"],
        (
            (
                f"{each['title']['zh']} {each['title']['en']}",
                each["value"],
                each["source"]["department"],
                each["authoritative"],
                each["source"]["age_days"],
            )
            for each in found["fields"].values()
        ),
        right=["天 age in days"],
    )
    output.table(
        "名录与记录 Lists",
        ["名录 list", "条数 entries"],
        ((f"{each['title']['zh']} {each['title']['en']}", len(each["entries"])) for each in found["lists"].values()),
        right=["条数 entries"],
    )
    if found["discrepancies"]:
        output.note(f"部门间数据差异 departments disagree about {len(found['discrepancies'])} fields")


@app.command(
    epilog=examples(
        "shuqiao credit record 91310000MA1FL00A0Q",
        "shuqiao credit record 91310000MA1FL00A0Q --reader department --day 2026-11-01 --json",
    )
)
def record(
    enterprise: Enterprise,
    reader: Annotated[str, typer.Option(help="查询主体 As whom: public or department.")] = "public",
    day: Annotated[
        str | None, typer.Option(help="日期 Only what may be seen on that day too: 2026-11-01.", show_default=False)
    ] = None,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """公共信用记录 The records that a reader may see, why, and until when; for departments names are masked."""
    from registry.api.credit import answers as credit_answers  # noqa: PLC0415
    from registry.api.representations import now  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    at, wanted, who = now(), day_of(day), _reader(reader)
    found = answered(
        enterprise,
        lambda pool, known, one: credit_answers.record(pool, known, one, who, wanted or china_day(at), at),
    )
    if reader == "department" and not unmasked:
        for each in found["records"]:
            each["body"] = _masked(each["body"], each["dataset"])
    if as_json:
        output.json_document(found)
        return
    output.table(
        f"公共信用记录 Credit record of {found['name'] or '–'} {found['uscc']}",
        ["类别 class", "主键 key", "决定日期 decided on", "公示至 until", "依据 why", "标注 marks"],
        (
            (
                f"{each['class']['title']['zh']} {each['class']['title']['en']}",
                each["key"],
                each["decided_on"],
                each["until"],
                f"{each['reason']['zh']} {each['reason']['en']}",
                ", ".join(each["marks"]),
            )
            for each in found["records"]
        ),
        empty=f"{found['name'] or found['uscc']}：没有可展示的记录 no record that this reader may see",
    )
    for each in found.get("evaluations", ()):
        output.note(f"{each['scorecard']}@{each['version']}: {each['grade']} ({each['score']}), {each['day']}")


@app.command(
    epilog=examples(
        "shuqiao credit report 91310000MA1FL00A0Q",
        "shuqiao credit report 91310000MA1FL00A0Q --json",
        "shuqiao credit report 91310000MA1FL00A0Q --pdf report.pdf",
    )
)
def report(
    enterprise: Enterprise,
    reader: Annotated[str, typer.Option(help="报告版本 The edition: public or department.")] = "public",
    pdf: Annotated[
        Path | None,
        typer.Option(
            help="PDF 文件 Write it there as a numbered and sealed document, nothing of the edition masked; "
            "- for stdout.",
            show_default=False,
        ),
    ] = None,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """信用报告 Today's credit report: what the record comes to, how old the data is, what to check it by."""
    from registry.api.credit import answers as credit_answers  # noqa: PLC0415
    from registry.api.representations import now  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    at, who = now(), _reader(reader)
    there: dict[str, Any] = {}

    async def read(pool: Any, known: Any, one: Found) -> dict[str, Any]:
        there.update(known)
        return await credit_answers.report(pool, known, one, who, at)

    found = answered(enterprise, read)
    if pdf is not None:
        from shuqiao.cli import credit_documents  # noqa: PLC0415

        output.note(f"报告编号 number of the report: {credit_documents.write_pdf(found, there, pdf)}")
        return
    if reader == "department" and not unmasked:
        for each in found["records"]:
            each["body"] = _masked(each["body"], each["dataset"])
    if as_json:
        output.json_document(found)
        return
    output.pairs(
        f"{found['title']['zh']} {found['title']['en']}",
        {
            "名称 name": found["name"],
            "统一社会信用代码 code": found["uscc"],
            "状态 status": found["status"],
            **{
                f"{each['title']['zh']} {each['title']['en']}": f"{each['records']} (异议 disputed: {each['disputed']})"
                for each in found["summary"]
            },
            "适用措施 measures": ", ".join(each["title"]["zh"] for each in found.get("measures", ())),
            "数据时间 oldest data": found["oldest_read_at"],
            "核对 check": f"{found['check']['records']} {found['check']['digest']}",
        },
    )


@app.command(
    epilog=examples(
        "shuqiao credit measures 91310000MA1FL00A0Q",
        "shuqiao credit measures 91310000MA1FL00A0Q --scene bidding --json",
    )
)
def measures(
    enterprise: Enterprise,
    scene: Annotated[str | None, typer.Option(help="场景 Only in this scene: bidding.", show_default=False)] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """奖惩措施 Incentives and restrictions that apply today, and what they rest on."""
    from registry.api.credit import answers as credit_answers  # noqa: PLC0415
    from registry.api.representations import now  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from registry.domain.credit.measures import default_measures  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    at = now()
    scenes = default_measures().on(china_day(at)).scenes
    if scene is not None and scene not in scenes:
        raise usage(f"没有这种场景 no such scene: {scene}", f"expected one of {', '.join(scenes)}", place="--scene")
    found = answered(enterprise, lambda pool, known, one: credit_answers.measures(pool, known, one, scene, at))
    if as_json:
        output.json_document(found)
        return
    kinds = {"incentive": "激励 incentive", "restriction": "惩戒 restriction"}
    output.table(
        f"奖惩措施 Measures for {found['uscc']}",
        ["场景 scene", "类型 what", "措施 measure", "依据名单 because of", "法律依据 legal basis"],
        (
            (
                each["scene"],
                kinds[each["kind"]],
                f"{each['title']['zh']}\n{each['title']['en']}",
                "\n".join(f"{one['title']['zh']} {one['since']}" for one in each["because"]),
                each["legal_basis"],
            )
            for each in found["applies"]
        ),
        empty="没有适用的措施 no measure applies",
    )
    if found["missing"]:
        output.note(f"登记库中没有这些名单 the registry does not hold these lists: {', '.join(found['missing'])}")
    if not found["registered"]:
        output.note(f"登记库中没有该主体的登记 the registry holds no registration of {found['uscc']}")


@app.command(
    epilog=examples(
        "shuqiao credit discrepancies --department tax",
        "shuqiao credit discrepancies --all --json --limit 1000",
        "shuqiao credit discrepancies --counts --since 2026-11-01 --json",
    )
)
def discrepancies(
    department: Department = None,
    everything: Everything = False,  # noqa: FBT002
    counts: Annotated[  # noqa: FBT002
        bool, typer.Option("--counts", help="计数 How many per day, department and field, instead of each.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(help="起始日 Of the counts: the first day; without, 30 days.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="截止日 Of the counts: the last day; without, today.", show_default=False)
    ] = None,
    limit: Limit = 50,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """数据差异 Where a department says something else than the authoritative one; names of persons are masked."""
    from registry.storage.reads import credit  # noqa: PLC0415

    if counts:
        credit_counts.show(department, since, until, as_json=as_json)
        return
    is_open = None if everything else True
    rows = _listed(
        lambda pool: credit.discrepancies(
            pool, after=0, limit=limit + 1, department=department, entity=None, is_open=is_open
        )
    )
    personal = _personal_fields()
    for row in rows:
        if row["field"] in personal:
            _mask_values(row)
    columns = {
        "#": "id",
        "部门 department": "department",
        "主体 entity": "entity",
        "字段 field": "field",
        "所报 value": "value",
        "权威值 authoritative value": "authoritative_value",
        "自 since": "opened_at",
    }
    _show("数据差异 Discrepancies", columns, rows, limit, as_json=as_json)


@app.command(
    epilog=examples("shuqiao credit findings --department credit", "shuqiao credit findings --kind late --json")
)
def findings(
    department: Department = None,
    kind: Annotated[
        str | None,
        typer.Option(help="类型 Only these: late, amount, missing_source_code or not_withdrawn.", show_default=False),
    ] = None,
    everything: Everything = False,  # noqa: FBT002
    limit: Limit = 50,
    as_json: AsJsonLines = False,  # noqa: FBT002
) -> None:
    """双公示问题 Permits and penalties that came late, contradict their text, lack a code or should be withdrawn."""
    from registry.storage.reads import credit  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    kinds = ("late", "amount", "missing_source_code", "not_withdrawn")
    if kind is not None and kind not in kinds:
        raise usage(f"没有这种类型 no such kind: {kind}", f"expected one of {', '.join(kinds)}", place="--kind")
    is_open = None if everything else True
    rows = _listed(
        lambda pool: credit.findings(pool, after=0, limit=limit + 1, department=department, kind=kind, is_open=is_open)
    )
    columns = {
        "#": "id",
        "类型 kind": "kind",
        "部门 department": "department",
        "数据集 dataset": "dataset",
        "主键 key": "key",
        "详情 detail": "detail",
        "自 since": "opened_at",
    }
    _show("双公示问题 Findings", columns, rows, limit, as_json=as_json)


def answered(enterprise: str, work: Callable[[Any, Any, Found], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """What there is to say of an enterprise. Raises Failure if it is not known, or not surely one."""
    from registry.api.credit import answers as credit_answers  # noqa: PLC0415
    from registry.storage.reads import datasets  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    async def told(pool: Any) -> dict[str, Any]:
        one = await credit_answers.find(pool, enterprise)
        return await work(pool, await datasets.all_datasets(pool), one)

    try:
        return registry.read(told)
    except credit_answers.UnknownEnterprise:
        cause = f"没有可提供的该企业信息 nothing may be told of {enterprise}"
        raise Failure(ExitCode.FAILED, cause, "核对代码 check the code: its last character checks the others") from None
    except credit_answers.AmbiguousIdentifier as error:
        cause = f"旧标识对应多个主体 records give {enterprise} to several enterprises"
        raise Failure(ExitCode.FAILED, cause, f"选择其一 choose one: {', '.join(error.candidates)}") from None


def _listed(work: Callable[[Any], Awaitable[list[Any]]]) -> list[dict[str, Any]]:
    import orjson  # noqa: PLC0415

    from shuqiao.cli import registry  # noqa: PLC0415

    rows = [{name: value for name, value in row.items() if name != "personal"} for row in registry.read(work)]
    for row in rows:
        if "detail" in row:
            row["detail"] = orjson.loads(row["detail"])
    return rows


def _show(title: str, columns: dict[str, str], rows: list[dict[str, Any]], limit: int, *, as_json: bool) -> None:
    """Rows as lines of JSON or as a table; ``rows`` may hold one more than ``limit``, which says that there is more."""
    from shuqiao.cli import output  # noqa: PLC0415

    if as_json:
        for row in rows[:limit]:
            output.json_line(row)
    else:
        cells = ([row[name] for name in columns.values()] for row in rows[:limit])
        output.table(title, [*columns], cells, empty="没有 none")
    if len(rows) > limit:
        output.note(f"还有更多，用 --limit 显示 there are more than {limit}: give a greater --limit")


def day_of(text: str | None) -> date | None:
    """The day of ``--day``. Raises Failure."""
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise usage(f"无法识别的日期 {text!r} is no day", "expected 2026-11-01", place="--day") from None


def _reader(text: str) -> CreditReader:
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if text not in READERS:
        raise usage(f"没有这种查询主体 no such reader: {text}", f"expected {' or '.join(READERS)}", place="--reader")
    return cast("CreditReader", text)


def _personal_fields() -> set[str]:
    """Fields of enterprises' files that name a person."""
    from registry.api.representations import now  # noqa: PLC0415
    from registry.domain.credit.marks import china_day  # noqa: PLC0415
    from registry.domain.credit.sources import default_sources  # noqa: PLC0415

    return {rule.name for rule in default_sources().on(china_day(now())).fields if rule.personal}


def _mask_file(found: dict[str, Any]) -> None:
    from schemas.masking import mask  # noqa: PLC0415

    for name in _personal_fields() & found["fields"].keys():
        found["fields"][name]["value"] = mask(found["fields"][name]["value"])
    for each in found["lists"].values():
        for entry in each["entries"]:
            entry["body"] = _masked(entry["body"], entry["source"]["dataset"])


def _mask_values(row: dict[str, Any]) -> None:
    from schemas.masking import mask  # noqa: PLC0415

    row["value"], row["authoritative_value"] = mask(row["value"]), mask(row["authoritative_value"])


def _masked(body: Any, dataset: str) -> Any:
    from schemas.personal import masked_record  # noqa: PLC0415

    return masked_record(body, f"{dataset}@1")
