"""The shape of an answer about an enterprise's evaluation, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from registry.api.credit.models import SOURCE
from registry.api.models import Answer, Source, Title

_PENALTIES: dict[str, Any] = {
    "name": "penalties",
    "title": {"zh": "行政处罚", "en": "Administrative penalties"},
    "points": 17,
    "weight": 25,
    "starts_at": 25,
    "limited": 0,
    "legal_basis": "中华人民共和国行政处罚法；信用修复管理办法",
    "records": [
        {
            "dataset": "administrative_penalty",
            "key": "沪市监罚〔2026〕7号",
            "version": 1024,
            "rule": "ordinary_recent",
            "title": {"zh": "一年内的一般处罚", "en": "ordinary within a year"},
            "points": -8,
            "disputed": False,
        }
    ],
    "sentence": {
        "zh": "行政处罚：起评25分；一年内的一般处罚1条，−8分；得17分（满分25分）。",
        "en": "Administrative penalties: starts at 25; ordinary within a year (1 record): −8; 17 of 25 points.",
    },
}


class CountedRecord(Answer):
    """A record that counts in a factor."""

    dataset: str
    key: str | None = Field(default=None, description="Not there: a record that may not be named today")
    version: int | None = None
    rule: str
    title: Title
    points: int
    disputed: bool = Field(description="An objection is open; whoever shows it says so 异议处理中")


class FactorResult(Answer):
    """One factor: where it starts + the points of its records + what limits changed = its points."""

    name: str
    title: Title
    points: int
    weight: int = Field(description="The most points that it can have")
    starts_at: int
    limited: int = Field(description="What limits gave back or took away")
    legal_basis: str
    records: list[CountedRecord]
    sentence: Title


class EnterpriseEvaluation(Answer):
    """An enterprise by one scorecard on one day, explained to the last point."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "uscc": "91310000MA1FL00A0Q",
                    "found_by": "uscc",
                    "as_of": "2026-11-23T05:36:52Z",
                    "sources": {"administrative_penalty": [SOURCE]},
                    "title": {
                        "zh": "企业公共信用综合评价（示例）",
                        "en": "Public credit evaluation of enterprises (example)",
                    },
                    "example": True,
                    "scorecard": "enterprise_credit@1",
                    "day": "2026-11-23",
                    "score": 17,
                    "best": 25,
                    "grade": "B",
                    "grade_title": {"zh": "良", "en": "Good"},
                    "grade_by_score": "B",
                    "limited_by": [],
                    "factors": [_PENALTIES],
                    "input_digest": "0b1f6d7c-1f57-6f0e-9a55-8a6f1f6f0d7e",
                    "changes_on": "2027-08-01",
                }
            ]
        }
    )

    uscc: str
    found_by: str
    as_of: datetime
    sources: dict[str, list[Source]] = Field(description="Of the datasets that the card looks at")
    title: Title
    example: bool = Field(description="The card is an example: no city has set its numbers 示例指标卡")
    scorecard: str
    day: date
    score: int
    best: int
    grade: str
    grade_title: Title
    grade_by_score: str = Field(description="The grade that the score alone would have")
    limited_by: list[str] = Field(description="Rules (`factor.rule`) that allow no better grade")
    factors: list[FactorResult]
    input_digest: UUID = Field(description="Of the card, the rules and everything of the records that bears on it")
    changes_on: date | None = Field(description="The next day on which the same records give another evaluation")
