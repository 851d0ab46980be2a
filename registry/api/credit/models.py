"""The shapes of answers about enterprises and their public credit data, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from registry.api.credit.consent_models import BasisConsent
from registry.api.models import Answer, Source, Title, with_example

_AT = "2026-11-23T05:36:52Z"
_USCC = "91310000MA1FL00A0Q"
_ORIGIN: dict[str, Any] = {
    "dataset": "administrative_penalty",
    "department": "credit",
    "connector": "credit.penalties",
    "batch": 7,
    "version": 1024,
    "published_on": "2026-11-18",
    "confirmed_on": "2026-11-23",
    "age_days": 0,
    "matched": False,
}
_REGISTRATION = _ORIGIN | {
    "dataset": "legal_entity",
    "department": "market-supervision",
    "connector": "market-supervision.enterprise",
}
SOURCE: dict[str, Any] = {
    "connector": "credit.penalties",
    "department": "credit",
    "read_at": "2026-11-23T05:30:00Z",
    "age_seconds": 412,
    "freshness_seconds": 7200,
    "late": False,
}
"""A source in examples."""
_COMPARED: dict[str, Any] = {
    "legal_entity": [
        SOURCE | {"connector": "market-supervision.enterprise", "department": "market-supervision"},
    ],
    "tax_registration": [SOURCE | {"connector": "tax.taxpayers", "department": "tax"}],
}
_SHOWN: dict[str, Any] = {
    "dataset": "administrative_penalty",
    "key": "沪市监罚〔2026〕7号",
    "class": {
        "number": 3,
        "code": "administration",
        "title": {"zh": "行政管理信息", "en": "Administrative acts"},
    },
    "decided_on": "2026-11-16",
    "body": {"decision_number": "沪市监罚〔2026〕7号", "content": "没收违法所得2000元"},
    "since": "2026-11-16",
    "until": "2027-11-16",
    "grade": "ordinary",
    "reason": {"code": "in_term", "zh": "公示期内", "en": "within its publicity term"},
    "rule": "publicity/2026#penalty.ordinary",
    "marks": ["disputed"],
    "source": _ORIGIN,
}
_HOLDING: dict[str, Any] = {
    "list": "abnormal_operation",
    "title": {"zh": "经营异常名录", "en": "List of abnormal operations"},
    "dataset": "abnormal_operation",
    "key": "2026-0042",
    "since": "2026-07-06",
    "until": None,
    "disputed": False,
}
_MEASURE: dict[str, Any] = {
    "code": "inspection_more",
    "scene": "inspection",
    "kind": "restriction",
    "title": {"zh": "列为重点监管对象，提高抽查比例和频次", "en": "Inspected more often"},
    "legal_basis": "国办发〔2019〕35号",
}
_DISCREPANCY: dict[str, Any] = {
    "id": 12,
    "entity": _USCC,
    "field": "name",
    "department": "tax",
    "dataset": "tax_registration",
    "key": _USCC,
    "value": "上海示例科技公司",
    "authoritative_department": "market-supervision",
    "authoritative_dataset": "legal_entity",
    "authoritative_key": _USCC,
    "authoritative_value": "上海示例科技有限公司",
    "opened_at": _AT,
    "closed_at": None,
    "closed_because": None,
}
_FINDING: dict[str, Any] = {
    "id": 3,
    "kind": "late",
    "department": "credit",
    "dataset": "administrative_penalty",
    "key": "沪市监罚〔2026〕7号",
    "entity": _USCC,
    "detail": {"working_days_late": 2},
    "opened_at": _AT,
    "closed_at": None,
}


class Origin(Answer):
    """The record that a value comes from, and when its source last confirmed it."""

    dataset: str
    department: str
    connector: str
    batch: int
    version: int
    published_on: date
    confirmed_on: date
    age_days: int
    matched: bool = Field(description="It carries no code: its match with this enterprise was accepted 经匹配归并")


class FileField(Answer):
    """One field of the file."""

    title: Title
    value: Any
    authoritative: bool = Field(description="False: its authoritative department says nothing, another one does")
    source: Origin


class FileEntry(Answer):
    """One record of a list, with what departments may see of it."""

    body: dict[str, Any]
    source: Origin


class FileList(Answer):
    """A list of the file, the newest first."""

    title: Title
    entries: list[FileEntry]


class FileDiscrepancy(Answer):
    """A department says something else than the authoritative one."""

    id: int
    field: str
    department: str
    authoritative_department: str
    opened_at: datetime


class EnterpriseFile(Answer):
    """What is known of one enterprise now."""

    model_config = with_example(
        uscc=_USCC,
        found_by="registration_number",
        as_of=_AT,
        sources={"administrative_penalty": [SOURCE]},
        edition="1",
        fields={
            "name": {
                "title": {"zh": "名称", "en": "Name"},
                "value": "上海示例科技有限公司",
                "authoritative": True,
                "source": _REGISTRATION,
            }
        },
        lists={
            "penalties": {
                "title": {"zh": "行政处罚", "en": "Penalties"},
                "entries": [{"body": _SHOWN["body"], "source": _ORIGIN}],
            }
        },
        identifiers={"registration_number": ["310000000000123"]},
        discrepancies=[
            {name: _DISCREPANCY[name] for name in ("id", "field", "department")}
            | {"authoritative_department": "market-supervision", "opened_at": _AT}
        ],
        oldest_age_days=0,
        not_granted=["social_insurance"],
    )

    uscc: str
    found_by: str = Field(description="`uscc`, or the kind of the old identifier that was asked for")
    as_of: datetime
    sources: dict[str, list[Source]]
    edition: str = Field(description="Of the rules of 一数一源: whose word counts for which field")
    fields: dict[str, FileField]
    lists: dict[str, FileList]
    identifiers: dict[str, list[str]]
    discrepancies: list[FileDiscrepancy]
    oldest_age_days: int
    not_granted: list[str] = Field(description="Datasets that the file would use and that the caller may not read")


class CatalogueClass(Answer):
    """A class of the catalogue of public credit information."""

    number: int
    code: str
    title: Title


class Reason(Answer):
    """Why a record may be seen; the code is stable."""

    code: str
    zh: str
    en: str


class ShownRecord(Answer):
    """A record that may be seen, with only what the reader may see of it."""

    dataset: str
    key: str
    class_: CatalogueClass = Field(alias="class")
    decided_on: date
    body: dict[str, Any]
    since: date
    until: date | None = Field(description="The last day; null: no end is known 公示截止日")
    grade: str
    reason: Reason
    rule: str
    marks: list[Literal["disputed"]] = Field(description="To be shown with it wherever it is shown 异议标注")
    source: Origin
    stale_since: datetime | None = Field(
        default=None, description="There only if what its source now has in its place was refused, since then"
    )


class KeptEvaluation(Answer):
    """The grade by one scorecard, and the day it was computed for."""

    scorecard: str
    version: int
    day: date
    score: int
    grade: str
    changes_on: date | None = Field(description="The next day on which the same records give another evaluation")
    computed_at: datetime


_RECORD_EXAMPLE: dict[str, Any] = {
    "uscc": _USCC,
    "found_by": "uscc",
    "name": "上海示例科技有限公司",
    "status": "active",
    "as_of": _AT,
    "day": "2026-11-23",
    "reader": "department",
    "catalogue": "2024",
    "sources": {"administrative_penalty": [SOURCE]},
    "records": [_SHOWN],
    "left_out": ["city_honours"],
    "evaluations": [
        {
            "scorecard": "enterprise_credit",
            "version": 1,
            "day": "2026-11-23",
            "score": 870,
            "grade": "B",
            "changes_on": "2027-11-17",
            "computed_at": _AT,
        }
    ],
}


class CreditRecord(Answer):
    """What one reader sees of one enterprise."""

    model_config = with_example(**_RECORD_EXAMPLE)

    uscc: str
    found_by: str
    name: str | None
    status: str | None
    as_of: datetime
    day: date
    reader: Literal["public", "department", "bank"]
    catalogue: str = Field(description="The edition of the catalogue of public credit information")
    sources: dict[str, list[Source]]
    records: list[ShownRecord]
    left_out: list[str] | None = Field(
        default=None, description="For departments: datasets with records of which no rule says who may see them"
    )
    evaluations: list[KeptEvaluation] | None = Field(default=None, description="For departments")
    purpose: str | None = Field(default=None, description="For banks, as are the next three")
    case_number: str | None = None
    consents: list[BasisConsent] | None = None
    not_consented: list[str] | None = None


class Holding(Answer):
    """A list that the enterprise is on, by one record."""

    list: str
    title: Title
    dataset: str
    key: str
    since: date
    until: date | None
    disputed: bool


class ApplyingMeasure(Answer):
    """A measure and the lists it rests on."""

    code: str
    scene: str
    kind: Literal["incentive", "restriction"]
    title: Title
    legal_basis: str
    because: list[Holding]


class WithheldMeasure(ApplyingMeasure):
    """An incentive that would apply but for other lists."""

    prevented_by: list[Holding]


class ClassSummary(CatalogueClass):
    """How many records of a class are in the report."""

    records: int
    disputed: int


class ReportCheck(Answer):
    """By which a report is checked: asking again on the same day gives the same unless something changed."""

    records: int
    digest: str = Field(description="`sha256:` and the digest of a line for each record, see docs/credit.md")


class CreditReport(CreditRecord):
    """The credit report of today."""

    model_config = with_example(
        **_RECORD_EXAMPLE,
        title={"zh": "公共信用信息报告", "en": "Report of public credit information"},
        summary=[_SHOWN["class"] | {"records": 1, "disputed": 1}],
        oldest_read_at="2026-11-23T05:30:00Z",
        check={"records": 1, "digest": f"sha256:{'0f' * 32}"},
        measures=[_MEASURE | {"because": [_HOLDING]}],
    )

    title: Title
    summary: list[ClassSummary]
    oldest_read_at: datetime | None = Field(description="Of the sources; null: one has never been read to the end")
    check: ReportCheck
    measures: list[ApplyingMeasure] | None = Field(default=None, description="For departments: what applies today")


class Measures(Answer):
    """What applies to an enterprise today, and why."""

    model_config = with_example(
        uscc=_USCC,
        found_by="uscc",
        registered=True,
        as_of=_AT,
        day="2026-11-23",
        scene="inspection",
        edition="1",
        applies=[_MEASURE | {"because": [_HOLDING]}],
        withheld=[],
        lists=[_HOLDING],
        sources={"abnormal_operation": [SOURCE]},
        missing=["tax_credit_rating"],
    )

    uscc: str
    found_by: str
    registered: bool = Field(description="Whether the registry holds the enterprise's registration")
    as_of: datetime
    day: date
    scene: str | None
    edition: str
    applies: list[ApplyingMeasure]
    withheld: list[WithheldMeasure]
    lists: list[Holding]
    sources: dict[str, list[Source]]
    missing: list[str] = Field(description="Lists that the registry does not hold: nothing can be said by them")


class Discrepancy(Answer):
    """A department says something else than the authoritative one."""

    id: int
    entity: str
    field: str
    department: str
    dataset: str
    key: str
    value: str
    authoritative_department: str
    authoritative_dataset: str
    authoritative_key: str
    authoritative_value: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: Literal["corrected", "authority_changed", "gone"] | None


class DiscrepancyPage(Answer):
    """Discrepancies, in the order in which they were found."""

    model_config = with_example(as_of=_AT, sources=_COMPARED, discrepancies=[_DISCREPANCY], next=None)

    as_of: datetime
    sources: dict[str, list[Source]] = Field(description="Of the datasets that are compared")
    discrepancies: list[Discrepancy]
    next: str | None


class DiscrepancyCount(Answer):
    """Discrepancies of one department and field on one day."""

    day: date
    department: str
    field: str
    opened: int
    closed: int
    open_in_the_evening: int = Field(description="Of today: open now")


class DiscrepancyCounts(Answer):
    """Counts by day, department and field; what has none on a day is left out."""

    model_config = with_example(
        as_of=_AT,
        sources=_COMPARED,
        since="2026-11-01",
        until="2026-11-23",
        counts=[
            {
                "day": "2026-11-23",
                "department": "tax",
                "field": "name",
                "opened": 2,
                "closed": 1,
                "open_in_the_evening": 14,
            }
        ],
    )

    as_of: datetime
    sources: dict[str, list[Source]] = Field(description="Of the datasets that are compared")
    since: date
    until: date
    counts: list[DiscrepancyCount]


class Finding(Answer):
    """What is wrong with a permit or penalty."""

    id: int
    kind: Literal["late", "amount", "missing_source_code", "not_withdrawn"]
    department: str
    dataset: str
    key: str
    entity: str | None
    detail: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None


class FindingPage(Answer):
    """Findings, in the order in which they were made."""

    model_config = with_example(as_of=_AT, sources={"administrative_penalty": [SOURCE]}, findings=[_FINDING], next=None)

    as_of: datetime
    sources: dict[str, list[Source]] = Field(description="Of the datasets in which such things are sought")
    findings: list[Finding]
    next: str | None
