"""The shapes of answers about permits and penalties made public 双公示, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from registry.api.credit.models import SOURCE, Reason
from registry.api.models import Answer, Source, with_example

_AT = "2026-11-23T05:36:52Z"
_SOURCES = {"administrative_penalty": [SOURCE]}


class RowProblem(Answer):
    """Why the platform may refuse a row."""

    column: str
    problem: Literal["missing", "too_long", "no_such_code", "not_expressible"]


class PublishedDecision(Answer):
    """A decision that is to be public, in the columns of the edition."""

    key: str
    columns: dict[str, str]
    problems: list[RowProblem]
    left_behind: list[str] = Field(description="Its fields that the edition has no column for 该版字段集无法承载")
    disputed: bool


class WithdrawnDecision(Answer):
    """A decision that is to be public no longer, with what identifies it."""

    key: str
    identity: dict[str, str]
    reason: Reason
    since: date = Field(description="The first day on which it may no longer be public")
    last_day: date | None = Field(description="To withdraw it, where the decision was changed or revoked 撤回截止日")
    days_late: int


class ExchangePage(Answer):
    """What to publish and what to withdraw, by key."""

    model_config = with_example(
        as_of=_AT,
        sources=_SOURCES,
        edition="old",
        table="penalties",
        dataset="administrative_penalty",
        since="2026-11-22",
        columns=["CF_WSH", "CF_JDRQ", "CF_XZJG"],
        not_held=["fine"],
        publish=[
            {
                "key": "沪市监罚〔2026〕7号",
                "columns": {
                    "CF_WSH": "沪市监罚〔2026〕7号",
                    "CF_JDRQ": "2026/11/16",
                    "CF_XZJG": "示例市市场监督管理局",
                },
                "problems": [],
                "left_behind": ["fine"],
                "disputed": False,
            }
        ],
        withdraw=[
            {
                "key": "沪市监罚〔2026〕3号",
                "identity": {
                    "CF_WSH": "沪市监罚〔2026〕3号",
                    "CF_JDRQ": "2026/10/16",
                    "CF_XZJG": "示例市市场监督管理局",
                },
                "reason": {"code": "withdrawn", "zh": "决定已失效或者撤回", "en": "the source has withdrawn it"},
                "since": "2026-11-22",
                "last_day": "2026-11-25",
                "days_late": 0,
            }
        ],
        next=None,
    )

    as_of: datetime
    sources: dict[str, list[Source]]
    edition: str
    table: Literal["penalties", "permits"]
    dataset: str
    since: date | None
    columns: list[str]
    not_held: list[str] = Field(description="Public fields that the edition has no column for")
    publish: list[PublishedDecision]
    withdraw: list[WithdrawnDecision]
    next: str | None


class QualityFigures(Answer):
    """One department's permits or penalties."""

    department: str
    authority: str | None = Field(description="The deciding authority, if asked for by authority")
    table: Literal["penalties", "permits"]
    records: int
    decided: int | None = Field(description="By the department's own ledger, as the caller said; null: unknown")
    coverage: float | None
    late: int
    late_share: float | None
    median_days_late: float | None = Field(description="Working days after the deadline, of the late ones")
    longest_days_late: int | None
    amounts_contradicting: int
    missing_source_code: int
    not_withdrawn: int = Field(description="Revoked, and public still after the last day to withdraw")
    withdrawn_late: int = Field(description="Withdrawn or mended, but after that day")


class Quality(Answer):
    """How departments publish permits and penalties."""

    model_config = with_example(
        as_of=_AT,
        sources=_SOURCES,
        publish_within_working_days=7,
        by="department",
        quality=[
            {
                "department": "credit",
                "authority": None,
                "table": "penalties",
                "records": 400,
                "decided": None,
                "coverage": None,
                "late": 12,
                "late_share": 0.03,
                "median_days_late": 4.0,
                "longest_days_late": 21,
                "amounts_contradicting": 3,
                "missing_source_code": 2,
                "not_withdrawn": 1,
                "withdrawn_late": 2,
            }
        ],
    )

    as_of: datetime
    sources: dict[str, list[Source]]
    publish_within_working_days: int
    by: Literal["department", "authority"]
    quality: list[QualityFigures]
