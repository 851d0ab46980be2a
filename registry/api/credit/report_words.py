"""What a credit report says to people, in both languages: the document and the look-up page say it alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from registry.api.credit.answers import CreditReader, Datasets
from registry.credit.reports import IssuedReport
from registry.documents.credit_report import Pair, ReportPage, Row, Section, Words
from registry.domain.credit.lending import default_lending_rules
from registry.domain.credit.report_words import lines, meaning
from schemas.catalogue import default_catalogue

_ZONE = ZoneInfo("Asia/Shanghai")

EDITIONS: Mapping[CreditReader, Words] = {
    "public": Words("公开版", "Public edition"),
    "department": Words("政务版", "Department edition"),
    "bank": Words("授权版", "Authorised edition"),
}
DISPUTED = Words("异议处理中", "Disputed: an objection is open")
NOTHING = Words(
    "没有可以展示的信用信息。这只说明本平台目前没有可向该查询主体展示的记录。",
    "There is no record that may be shown. It says only that this hub has none now that this reader may see.",
)
NEVER = Words("尚未读取", "Never read")
_WITHOUT_END = Words("未定", "No end is known")

_MADE = Words(
    "本报告由公共信用信息平台根据各部门归集的信息生成，内容以作出认定的部门的原始记录为准。",
    "Made by the hub from what departments have recorded; the deciding department's own record prevails.",
)
_MARKED = Words(
    "标注“异议处理中”的信息，相关主体已提出异议，尚未处理完毕；引用时须一并注明。",
    "To what is marked as disputed an objection is open; whoever cites it says so too.",
)
_CHECK_FIRST = Words(
    "使用前请按报告编号核对：信息更正、修复、撤销或公示期届满后，本报告不再反映现状。",
    "Check it by its number before use: after a correction, repair, withdrawal or the end of a term it holds no more.",
)
USE: Mapping[CreditReader, Words] = {
    "public": Words(
        "仅反映出具当日可以公示的信息。停止公示的信息不得继续保存、转载、传播或使用；不得据此另建信用信息数据库。",
        "It has what may be published on its day. What is no longer published may not be kept, passed on or used, "
        "and no collection of credit information may be built from it.",
    ),
    "department": Words(
        "仅供查询部门依法履职使用，不得超出用途使用，未经提供部门同意不得向第三方提供；用毕按规定销毁。",
        "For the asking department's lawful duty only: not for any other purpose, not to be passed on without the "
        "consent of the department that provided the data, and destroyed after use.",
    ),
    "bank": Words(
        "仅供经信用主体授权的查询机构用于授权书载明的用途，不得用于其他用途，不得保存至授权期满之后，不得向第三方提供。",
        "For the institution that the enterprise has authorised and the purpose it consented to; not for any other, "
        "not to be kept beyond the consent's end, and not to be passed on.",
    ),
}
OBJECTION = Words(
    "认为信息有误或不应公示的，可向本平台受理窗口或作出认定的部门提出异议；符合条件的可申请信用修复（谁认定、谁修复）。均不收取费用。",
    "Who holds that something is wrong or should not be shown may object at the hub's window or with the deciding "
    "department; whoever meets the conditions may apply there for credit repair. Both are free.",
)


def page_of(
    report: Mapping[str, Any], issued: IssuedReport, datasets: Datasets, *, issuer: str, check_address: str
) -> ReportPage:
    """A report as it is printed."""
    reader: CreditReader = report["reader"]
    return ReportPage(
        title=Words(report["title"]["zh"], report["title"]["en"]),
        edition=EDITIONS[reader],
        number=issued.number,
        issuer=issuer,
        head=head(report, issued),
        summary=summary(report),
        nothing=NOTHING,
        sections=sections(report, datasets),
        measures=tuple(
            Row(Words(each["title"]["zh"], each["title"]["en"]), (same(each["legal_basis"]),))
            for each in report.get("measures", ())
        ),
        ages=ages(report, datasets),
        check=(
            Pair(Words("报告编号", "Number of the report"), same(issued.number)),
            Pair(Words("核对地址", "Check at"), same(check_address)),
            Pair(Words("记录数", "Records"), same(str(report["check"]["records"]))),
            Pair(Words("摘要（SHA-256）", "Digest of the records"), same(report["check"]["digest"])),
            Pair(Words("签章", "Sealed by"), same(issuer)),
        ),
        notes=(_MADE, USE[reader], _CHECK_FIRST, _MARKED, OBJECTION),
        check_address=check_address,
    )


def head(report: Mapping[str, Any], issued: IssuedReport | None = None) -> tuple[Pair, ...]:
    """Whom it is about, and of when it speaks."""
    found = [
        Pair(Words("名称", "Name"), same(report["name"] or "—")),
        Pair(Words("统一社会信用代码", "Unified social credit code"), same(report["uscc"])),
    ]
    if report["status"]:
        status = meaning("status", report["status"])
        found.append(Pair(Words("登记状态", "State of the registration"), Words(status.zh, status.en)))
    for each in report.get("evaluations", ()):
        grade = f"{each['grade']}（{each['score']}）"
        label = Words("公共信用综合评价", "Evaluation of public credit")
        found.append(Pair(label, same(f"{grade} {each['scorecard']}@{each['version']}, {each['day']}")))
    found += _consent(report)
    if issued is not None:
        found.append(Pair(Words("报告日期", "Day of the report"), day(issued.day)))
    found.append(Pair(Words("数据时点", "As of"), _as_of(report["as_of"])))
    oldest = report["oldest_read_at"]
    found.append(
        Pair(Words("最早一项来源的读取时间", "The oldest source was read"), NEVER if oldest is None else _as_of(oldest))
    )
    return tuple(found)


def summary(report: Mapping[str, Any]) -> tuple[Row, ...]:
    """Per class of the catalogue: how many records, how many of them disputed."""
    return tuple(
        Row(Words(each["title"]["zh"], each["title"]["en"]), (same(str(each["records"])), same(str(each["disputed"]))))
        for each in report["summary"]
    )


def sections(report: Mapping[str, Any], datasets: Datasets) -> tuple[Section, ...]:
    """Every record, the newest decision first."""
    return tuple(_section(each, datasets) for each in report["records"])


def ages(report: Mapping[str, Any], datasets: Datasets) -> tuple[Row, ...]:
    """Every source that was looked at, with the time at which it was last read to the end."""
    return tuple(
        Row(_title_of(name, datasets), (same(each["department"]), _read(each)))
        for name, sources in report["sources"].items()
        for each in sources
    )


def same(text: str) -> Words:
    """What is written alike in both languages."""
    return Words(text, text)


def day(value: date) -> Words:
    """``2026年11月5日``, ``2026-11-05``."""
    return Words(f"{value.year}年{value.month}月{value.day}日", value.isoformat())


def moment(value: datetime) -> str:
    """Beijing time, to the minute."""
    return value.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M")


def _consent(report: Mapping[str, Any]) -> list[Pair]:
    """For what a lender asked, and on whose consent."""
    if "consents" not in report:
        return []
    purpose = default_lending_rules().purposes[report["purpose"]]
    until = "、".join(f"{each['id']}（至 {moment(each['valid_until'])}）" for each in report["consents"])
    return [
        Pair(Words("用途", "Purpose"), Words(purpose.zh, purpose.en)),
        Pair(Words("业务编号", "Case number"), same(report["case_number"])),
        Pair(Words("信用主体的授权", "Consent of the enterprise"), same(until)),
    ]


def _section(each: Mapping[str, Any], datasets: Datasets) -> Section:
    dataset = each["dataset"]
    until = each["until"]
    source = each["source"]
    pairs = [
        *(
            Pair(Words(line.label.zh, line.label.en), Words(line.value.zh, line.value.en))
            for line in lines(each["body"], _schema(dataset, datasets))
        ),
        Pair(Words("展示期限", "Shown until"), _WITHOUT_END if until is None else day(until)),
    ]
    if "stale_since" in each:
        since = f"自 {moment(each['stale_since'])} 起，来源部门的这条记录有误，尚待更正"
        pairs.append(Pair(Words("来源数据提示", "About the source"), Words(since, "Wrong at its source since then")))
    where = f"{source['department']} · {dataset} · {each['key']}"
    origin = f"来源 {where} · 版本 {source['version']} · {source['confirmed_on']} 确认"
    return Section(
        title=_title_of(dataset, datasets),
        mark=DISPUTED if each["marks"] else None,
        pairs=tuple(pairs),
        origin=Words(origin, "Source: department, dataset, key, version, last confirmed"),
    )


def _read(source: Mapping[str, Any]) -> Words:
    if source["read_at"] is None:
        return NEVER
    said = moment(source["read_at"])
    return Words(f"{said}（逾期未更新）", "late") if source["late"] else same(said)


def _as_of(at: datetime) -> Words:
    return Words(f"{moment(at)}（北京时间）", "Beijing time")


def _schema(dataset: str, datasets: Datasets) -> str:
    return datasets[dataset].schema


def _title_of(dataset: str, datasets: Datasets) -> Words:
    zh, en = default_catalogue().title(_schema(dataset, datasets))
    return Words(zh, en)
