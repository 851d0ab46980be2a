"""The shapes of requests and answers about records without a code, for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from registry.api.credit.case_models import By, Words
from registry.api.models import Answer, Title, with_example

MatchState = Literal["candidate", "accepted", "rejected", "undone", "lapsed"]

_MATCH: dict[str, Any] = {
    "id": 7,
    "dataset": "serious_dishonesty",
    "key": "2026-0042",
    "entity": "91310000MA1FL00A0Q",
    "state": "candidate",
    "state_title": {"zh": "待确认", "en": "a candidate"},
    "score": 0.93,
    "features": {
        "name": "ending",
        "name_ratio": 0.96,
        "legal_representative": "same",
        "division": "same",
        "address": "unknown",
        "identifier": None,
        "identifier_of_another": False,
        "founded_before": True,
    },
    "decided_by": None,
    "decided_at": None,
    "reason": None,
    "found_at": "2026-11-23T05:36:52Z",
    "accepted_at": None,
    "ended_at": None,
}


class MatchDecision(BaseModel):
    """What a person says of a match, and why."""

    model_config = with_example(reason="登记档案与名单所载地址、法定代表人一致", by="数据归集科")

    reason: Words = Field(description="理由")
    by: By = None


class MatchFeatures(Answer):
    """What speaks for and against a match; nothing personal."""

    name: Literal["same", "former", "ending", "core", "alike", "unknown"] = Field(
        description="ending: the same but for the ending; core: but for the region too 名称比对"
    )
    name_ratio: float = Field(description="0 to 1")
    legal_representative: Literal["same", "different", "unknown"]
    division: str
    address: str
    identifier: str | None = Field(description="The kind of old identifier that names this enterprise 旧标识")
    identifier_of_another: bool = Field(description="An old identifier of the record names another enterprise")
    founded_before: bool = Field(description="Known to have been founded by the day of the record")


class MatchSummary(Answer):
    """A record without a code and an enterprise that it may be about."""

    id: int
    dataset: str
    key: str
    entity: str
    state: MatchState
    state_title: Title
    score: float = Field(description="0 to 1: for the order in which to look, never a decision 得分")
    features: MatchFeatures
    decided_by: str | None = Field(description="`rule:` and its name, or the client and who it says decided 决定者")
    decided_at: datetime | None
    reason: str | None
    found_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None = Field(description="When an accepted match ended: undone, or the record says otherwise")


class MatchPage(Answer):
    """Matches in the order in which they were found."""

    model_config = with_example(as_of="2026-11-23T05:36:52Z", matches=[_MATCH], next=None)

    as_of: datetime
    matches: list[MatchSummary]
    next: str | None


class StatedByRecord(Answer):
    """What the record says of whom it is about, normalised for comparing."""

    name: str | None
    address: str | None


class NamesOfEnterprise(Answer):
    """What the registration says, normalised for comparing."""

    names: list[str]
    former_names: list[str]
    addresses: list[str]


class OtherMatch(Answer):
    """Another match of the same record."""

    id: int
    entity: str
    state: MatchState
    score: float
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class DecisionOnMatch(Answer):
    """What a rule or a person said of the match."""

    number: int
    at: datetime
    decision: Literal["accepted", "rejected", "undone", "reopened"]
    decided_by: str = Field(description="`rule:` and its name, or the client and who it says decided")
    reason: str | None


class CreditMatch(MatchSummary):
    """One match with what was compared."""

    model_config = with_example(
        **_MATCH,
        record={"name": "上海示例科技有限责任公司", "address": None},
        enterprise={"names": ["上海示例科技有限公司"], "former_names": [], "addresses": []},
        decisions=[],
        others=[],
    )

    record: StatedByRecord | None = Field(description="null: the record has a code by now, or is gone")
    enterprise: NamesOfEnterprise
    decisions: list[DecisionOnMatch] = Field(description="All of them, in order")
    others: list[OtherMatch]
