"""The shapes of requests and answers about grants, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from registry.api.models import NO_NUL, Answer, with_example
from registry.domain.grants.requests import State
from registry.domain.grants.terms import MOST_PURPOSES, MOST_ROW_VALUES
from registry.grants.requests import LONGEST_STATEMENT

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=NO_NUL)]
Rows = Annotated[
    dict[Name, Annotated[list[Name], Field(min_length=1, max_length=MOST_ROW_VALUES)]],
    Field(max_length=20, description="Only records whose field has one of these values; {}: all 行级范围"),
]
Fields = Annotated[
    list[Name] | None,
    Field(
        min_length=1,
        max_length=500,
        description="Fields of the dataset's schema; personal values in clear only if named. Null: all, personal ones"
        " masked. The key and the entity's field are always there. 字段范围",
    ),
]
Purposes = Annotated[list[Name], Field(max_length=MOST_PURPOSES, description="Stated with each request 用途")]
Quota = Annotated[
    int | None, Field(ge=1, lt=1 << 53, description="Answers a day, China Standard Time 每日调用次数；null 不限")
]

_ASKED: dict[str, Any] = {
    "dataset": "legal_entity",
    "fields": ["uscc", "name", "status"],
    "purposes": ["credit_lending"],
    "case_number": True,
    "rows": {"status": ["active"]},
    "valid_until": "2027-11-22T16:00:00Z",
    "daily_quota": 10000,
    "legal_basis": "国办发〔2021〕52号",
    "statement": "授信审批时核对企业登记信息",
}
_GRANT: dict[str, Any] = {
    "id": 3,
    "client": "client-0123456789abcdef",
    "client_name": "loan desk of the city bank",
    "dataset": "legal_entity",
    "version": 1,
    "schema_reference": "legal_entity@1",
    "fields": ["name", "status", "uscc"],
    "purposes": ["credit_lending"],
    "case_number": True,
    "rows": {"status": ["active"]},
    "valid_from": "2026-11-23T05:36:52Z",
    "valid_until": "2027-11-22T16:00:00Z",
    "daily_quota": 10000,
    "legal_basis": "国办发〔2021〕52号",
    "approval": "request 12",
    "in_force": True,
    "ended_at": None,
    "ended_because": None,
    "ended_reason": None,
    "uses_today": 17,
    "uses_thirty_days": 402,
    "last_used_at": "2026-11-23T05:36:52Z",
}
_REQUEST: dict[str, Any] = {
    "id": 12,
    "client": "client-0123456789abcdef",
    "client_name": "loan desk of the city bank",
    **_ASKED,
    "sharing": "conditional",
    "department": "market-supervision",
    "rules": "2025",
    "filed_at": "2026-11-23T05:36:52Z",
    "state": "filed",
    "state_title": {"zh": "待规范性审核", "en": "to be checked"},
    "due": {"on": "2026-11-25", "assumed": False, "overdue": False},
    "grant": None,
}
_EVENT: dict[str, Any] = {
    "at": "2026-11-23T05:36:52Z",
    "action": "file",
    "state": "filed",
    "by": "client-0123456789abcdef",
    "reason": None,
}


class GrantTerms(BaseModel):
    """What may be read: of a request, or, with an approval, less than was asked for."""

    model_config = ConfigDict(extra="forbid")

    fields: Fields = None
    purposes: Purposes
    case_number: bool = Field(default=False, description="Each request will name its case 每次须给出业务编号")
    rows: Rows = Field(default_factory=dict)
    valid_until: AwareDatetime | None = Field(default=None, description="Null: as long as is usual, a year 有效期至")
    daily_quota: Quota = None


class GrantFiling(GrantTerms):
    """A request for a grant."""

    model_config = with_example(**_ASKED)

    dataset: Name
    legal_basis: Words = Field(description="The rule, duty or agreement by which the data is needed 依据")
    statement: Words = Field(max_length=LONGEST_STATEMENT, description="What the data is for, in words 申请理由")


class GrantStep(BaseModel):
    """A step, with a remark for whoever reads the request later."""

    model_config = with_example(reason="材料齐全")

    reason: Words | None = None


class GrantStepWithReason(BaseModel):
    """A step that is not taken without a reason."""

    model_config = with_example(reason="与所述用途无关的字段：经营范围")

    reason: Words


class GrantApproval(BaseModel):
    """An approval, of everything that was asked for, or of less."""

    model_config = with_example(
        reason="同意，限六个月",
        terms={
            **{k: _ASKED[k] for k in ("fields", "purposes", "case_number", "rows", "daily_quota")},
            "valid_until": "2027-05-22T16:00:00Z",
        },
    )

    reason: Words | None = None
    terms: GrantTerms | None = Field(default=None, description="Null: as asked for; else no more than that 缩小的范围")


class StateTitle(Answer):
    """In both languages."""

    zh: str
    en: str


class Due(Answer):
    """The last day of the next step."""

    on: date
    assumed: bool = Field(description="A year's calendar is not known, its weekdays were taken 按周一至周五推算")
    overdue: bool


class AccessGrant(Answer):
    """A grant, in one of its versions."""

    model_config = with_example(**_GRANT)

    id: int
    client: str
    client_name: str
    dataset: str
    version: int = Field(description="A changed grant is the next version; the old one stays on record 版本")
    schema_reference: str = Field(description="The version of the schema in which the client gets records")
    fields: list[str] | None
    purposes: list[str]
    case_number: bool
    rows: dict[str, list[str]]
    valid_from: datetime
    valid_until: datetime
    daily_quota: int | None
    legal_basis: str
    approval: str
    in_force: bool
    ended_at: datetime | None
    ended_because: Literal["changed", "revoked"] | None
    ended_reason: str | None
    uses_today: int
    uses_thirty_days: int
    last_used_at: datetime | None


class AccessGrants(Answer):
    """Grants."""

    model_config = with_example(as_of="2026-11-23T05:36:52Z", grants=[_GRANT])

    as_of: datetime
    grants: list[AccessGrant]


class GrantRequest(Answer):
    """A request for a grant."""

    model_config = with_example(**_REQUEST)

    id: int
    client: str
    client_name: str
    dataset: str
    fields: list[str] | None
    purposes: list[str]
    case_number: bool
    rows: dict[str, list[str]]
    valid_until: datetime | None
    daily_quota: int | None
    legal_basis: str
    statement: str
    sharing: Literal["unconditional", "conditional", "none"]
    department: str = Field(description="Whose the dataset is 数据提供部门")
    rules: str = Field(description="The edition of the rules by which it is handled 办理规则")
    filed_at: datetime
    state: State
    state_title: StateTitle
    due: Due | None
    grant: int | None = Field(description="The grant that came of it")


class GrantEvent(Answer):
    """One step of a request."""

    at: datetime
    action: str
    state: State
    by: str
    reason: str | None


class GrantRequestDetail(GrantRequest):
    """A request with all that happened to it."""

    model_config = with_example(**_REQUEST, events=[_EVENT])

    events: list[GrantEvent]


class GrantRequests(Answer):
    """Requests in the order of their filing."""

    model_config = with_example(as_of="2026-11-23T05:36:52Z", requests=[_REQUEST], next=None)

    as_of: datetime
    requests: list[GrantRequest]
    next: str | None


class GrantReport(Answer):
    """What is to be looked at."""

    model_config = with_example(
        as_of="2026-11-23T05:36:52Z", expiring_days=30, unused_days=90, expired=[], expiring=[_GRANT], unused=[],
        overdue=[{**_REQUEST, "due": {"on": "2026-11-20", "assumed": False, "overdue": True}}],
    )  # fmt: skip

    as_of: datetime
    expiring_days: int
    unused_days: int
    expired: list[AccessGrant]
    expiring: list[AccessGrant]
    unused: list[AccessGrant]
    overdue: list[GrantRequest]
