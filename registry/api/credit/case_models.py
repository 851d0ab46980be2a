"""The shapes of requests and answers about repairs and objections, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from registry.api.models import NO_NUL, Answer, Title, with_example
from registry.domain.credit.cases import Action, Kind, Role, State

_USCC = "91310000MA1FL00A0Q"
_SHA256 = f"{'0f' * 32}"


def _text(most: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=most, pattern=NO_NUL)


Line = Annotated[str, _text(200)]
Key = Annotated[str, _text(2000)]
Words = Annotated[str, _text(4000)]
By = Annotated[
    Line | None,
    Field(
        description="Who in the client's house, as it is to stand in the case: an office, not a person's number 经办"
    ),
]

_EVIDENCE: list[dict[str, Any]] = [
    {"kind": "performance", "title": "缴款凭证", "sha256": _SHA256, "dated": "2026-05-10"},
    {"kind": "commitment", "title": "信用承诺书", "sha256": f"{'0e' * 32}", "dated": None},
]
_SUMMARY: dict[str, Any] = {
    "id": 12,
    "kind": "repair",
    "title": {"zh": "信用修复", "en": "credit repair"},
    "dataset": "administrative_penalty",
    "key": "沪市监罚〔2026〕7号",
    "record_version": 1024,
    "entity": _USCC,
    "department": "credit",
    "place": "national",
    "rules": "cases/national#repair",
    "state": "filed",
    "state_title": {"zh": "已提交", "en": "filed"},
    "filed_by": "client-0123456789abcdef",
    "applicant": "上海示例科技有限公司",
    "filed_at": "2026-11-23T05:36:52Z",
    "accepted_at": None,
    "forwarded_at": None,
    "extended_at": None,
    "due": {
        "on": "2026-11-26",
        "step": "accept",
        "title": {"zh": "受理", "en": "accept or decline"},
        "assumed": True,
        "overdue": False,
        "noted_at": None,
    },
    "decided_at": None,
    "decided_by": None,
    "remedy": None,
}
_CASE: dict[str, Any] = _SUMMARY | {
    "statement": "已缴清罚款并完成整改，申请信用修复。",
    "evidence": _EVIDENCE,
    "decision": None,
    "events": [
        {
            "number": 1,
            "at": "2026-11-23T05:36:52Z",
            "action": "file",
            "title": {"zh": "提交", "en": "file"},
            "role": "applicant",
            "role_title": {"zh": "申请人", "en": "the applicant"},
            "actor": "上海示例科技有限公司",
            "from_state": None,
            "to_state": "filed",
            "text": None,
        }
    ],
    "possible": [{"action": "withdraw", "title": {"zh": "撤回", "en": "withdraw"}}],
}


class EvidenceOfCase(BaseModel):
    """A document that stays with whoever received it; the hub keeps its digest."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["performance", "commitment", "other"] = Field(description="履行证明、信用承诺书、其他")
    title: Line
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(description="Of the document 文件摘要")
    dated: date | None = Field(
        default=None, description="Of a performance: the day on which the duty was performed 履行日期"
    )


class CaseFiling(BaseModel):
    """A repair or an objection that an enterprise hands in at a window."""

    model_config = with_example(
        kind="repair",
        dataset=_SUMMARY["dataset"],
        key=_SUMMARY["key"],
        entity=_USCC,
        applicant=_SUMMARY["applicant"],
        statement=_CASE["statement"],
        evidence=_EVIDENCE,
        reference="2026-0042",
    )

    kind: Kind = Field(description="repair 信用修复, objection 异议")
    dataset: Line
    key: Key = Field(description="Key of the record 记录主键")
    entity: Annotated[str, StringConstraints(min_length=18, max_length=18, pattern=NO_NUL)] = Field(
        description="Unified social credit code of the enterprise, which the window has identified 统一社会信用代码"
    )
    applicant: Line = Field(description="The enterprise's name, as it signs 申请人")
    statement: Words = Field(description="Why 申请理由")
    evidence: list[EvidenceOfCase] = Field(default=[], max_length=50)
    reference: Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)] = Field(
        default="",
        description="The window's own number: the same request with another number is another request 窗口受理号",
    )


class CaseStep(BaseModel):
    """A step for which no reason is needed."""

    model_config = with_example(reason="材料齐全", by="法制科")

    reason: Words | None = Field(default=None, description="The applicant reads it 说明")
    by: By = None


class CaseStepWithReason(BaseModel):
    """A step that is not taken without saying why."""

    model_config = with_example(reason="需向第三方核实", by="法制科")

    reason: Words = Field(description="The applicant reads it 理由")
    by: By = None


class CaseGrant(BaseModel):
    """A decision for the applicant."""

    model_config = with_example(reason="经核实，决定书金额有误", remedy="correct", by="法制科")

    reason: Words | None = Field(default=None, description="The applicant reads it 说明")
    remedy: Literal["correct", "withdraw"] | None = Field(
        default=None,
        description="Of an objection, needed: the record will be corrected, or is withdrawn now 更正或撤销",
    )
    by: By = None


class CaseDue(Answer):
    """What is to be done next, and until when."""

    on: date = Field(description="The last day, in China")
    step: Literal["accept", "forward", "decide", "decide_forwarded"]
    title: Title
    assumed: bool = Field(description="The number of days, or a year's calendar, is assumed: look it up 期限为推定")
    overdue: bool
    noted_at: datetime | None = Field(description="When it was noted in the events that this deadline was missed")


class CaseSummary(Answer):
    """A repair or an objection as lists have it."""

    id: int
    kind: Kind
    title: Title
    dataset: str
    key: str
    record_version: int = Field(description="The version that the applicant spoke of")
    entity: str
    department: str = Field(description="That recorded the item, and decides 认定部门")
    place: str
    rules: str = Field(description="The rule by which it is handled for its whole life")
    state: State
    state_title: Title
    filed_by: str
    applicant: str
    filed_at: datetime
    accepted_at: datetime | None
    forwarded_at: datetime | None
    extended_at: datetime | None
    due: CaseDue | None = Field(description="null: closed")
    decided_at: datetime | None = Field(description="When it was closed, in whatever way")
    decided_by: str | None
    remedy: Literal["correct", "withdraw"] | None


class CasePage(Answer):
    """Repairs and objections in the order of their filing."""

    model_config = with_example(as_of="2026-11-23T05:36:52Z", cases=[_SUMMARY], next=None)

    as_of: datetime
    cases: list[CaseSummary]
    next: str | None


class CaseEvent(Answer):
    """Something that happened to a case."""

    number: int
    at: datetime
    action: str = Field(description="`overdue`: a deadline was missed")
    title: Title
    role: Role
    role_title: Title
    actor: str
    from_state: State | None
    to_state: State
    text: str | None


class PossibleAction(Answer):
    """What the caller may do with the case now: POST to its address and this name."""

    action: Action
    title: Title


class CreditCase(CaseSummary):
    """One repair or objection with everything that happened to it."""

    model_config = with_example(**_CASE)

    statement: str
    evidence: list[EvidenceOfCase]
    decision: str | None
    events: list[CaseEvent]
    possible: list[PossibleAction]
