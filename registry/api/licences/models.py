"""The shapes of answers with licences, and of requests about them, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from registry.api.models import Answer, Source, Stale, Title

_AT = "2026-11-23T05:36:52Z"
_IDENTIFIER = "1.2.156.3005.2.11100000MB0143028R002.11310000MB2F3063XQ.7Q2M0X4TJ9ZK1C8RB5VD.001.T"
_VALID = {"code": "01", "name": {"zh": "有效", "en": "Valid"}, "text": None, "since": "2026-11-20T02:00:09Z"}
_EVENT: dict[str, Any] = {
    "number": 1,
    "at": "2026-11-20T02:00:09Z",
    "operation": {"code": "01", "name": {"zh": "新发", "en": "Issue"}},
    "from_state": None,
    "to_state": "01",
    "text": None,
    "actor": "market-supervision.food-business",
    "record_version": 1024,
}
_LICENCE: dict[str, Any] = {
    "identifier": _IDENTIFIER,
    "version": 1,
    "type": {
        "name": "food_business_licence",
        "version": 1,
        "code": "11100000MB0143028R002",
        "title": {"zh": "食品经营许可证", "en": "Food business licence"},
        "trust_grade": "A",
    },
    "number": "JY13101010000001",
    "holders": [{"name": "上海示例餐饮有限公司", "code": "91310000MA1FL00A0Q", "code_type": "001"}],
    "issuer": {
        "code": "11310000MB2F3063XQ",
        "name": "市市场监督管理局",
        "name_en": "Market supervision bureau",
        "did": "did:web:hub.example.cn:issuers:11310000MB2F3063XQ",
    },
    "issued_on": "2026-11-20",
    "valid_from": "2026-11-20",
    "valid_to": "2031-11-19",
    "items": [{"name": "operation_kind", "title": {"zh": "主体业态", "en": "Kind of operator"}, "value": "catering"}],
    "state": _VALID,
    "issued_at": "2026-11-20T02:00:09Z",
    "supersedes": None,
    "superseded_by": None,
    "superseded_at": None,
    "origin": {
        "dataset": "food_business_licence",
        "schema_reference": "food_business_licence@1",
        "key": "JY13101010000001",
        "record_version": 1024,
        "batch": 7,
        "connector": "market-supervision.food-business",
        "department": "market-supervision",
    },
    "forms": ["json", "vc", "jwt", "sd_jwt", "pdf", "metadata"],
    "links": {
        "self": f"/api/v1/licences/{_IDENTIFIER}",
        "history": f"/api/v1/licences/{_IDENTIFIER}/history",
        "copies": f"/api/v1/licences/{_IDENTIFIER}/copies",
        "verification": f"https://hub.example.cn/verify/{_IDENTIFIER}",
    },
}
_VERSION: dict[str, Any] = {
    "identifier": _IDENTIFIER,
    "version": 1,
    "state": _VALID,
    "issued_on": "2026-11-20",
    "valid_from": "2026-11-20",
    "valid_to": "2031-11-19",
    "issued_at": "2026-11-20T02:00:09Z",
    "superseded_at": None,
    "record_version": 1024,
    "batch": 7,
    "events": [_EVENT],
}
_COPY: dict[str, Any] = {
    "id": "3ZK1C8RB5VD7Q2M0X4TJ",
    "licence": _IDENTIFIER,
    "requested_by": "市城市商业银行信贷部",
    "cause": "小微企业贷款审核",
    "client": "client-0011223344556677",
    "created_at": _AT,
    "valid_until": "2026-12-23T05:36:52Z",
    "revoked_at": None,
    "seal_revoked_at": None,
    "links": {
        "self": "/api/v1/copies/3ZK1C8RB5VD7Q2M0X4TJ",
        "verification": "https://hub.example.cn/verify/copies/3ZK1C8RB5VD7Q2M0X4TJ",
    },
}
_SOURCES: dict[str, Any] = {"food_business_licence": []}

Text200 = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class LicenceTypeName(Answer):
    """Which type of licence 证照类型."""

    name: str
    version: int
    code: str = Field(description="证照类型代码")
    title: Title
    trust_grade: Literal["A", "B", "C", "D"]


class LicenceHolder(Answer):
    """持证主体."""

    name: str
    code: str
    code_type: str = Field(description="GB/T 36903 annex A")


class LicenceIssuer(Answer):
    """证照颁发机构."""

    code: str
    name: str
    name_en: str
    did: str


class LicenceItem(Answer):
    """An information item 证照信息项."""

    name: str
    title: Title
    value: Any


class LicenceState(Answer):
    """证照状态."""

    code: str
    name: Title
    text: str | None = Field(description="What the state 99 (other) means here")
    since: datetime


class LicenceOrigin(Answer):
    """Which record the licence was made from."""

    dataset: str
    schema_reference: str
    key: str
    record_version: int
    batch: int
    connector: str
    department: str


class LicenceLinks(BaseModel):
    """Where more is."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    self_: str = Field(alias="self")
    history: str
    copies: str
    verification: str = Field(description="The page for people")


class Licence(Answer):
    """One version of one licence."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LICENCE]})
    identifier: str = Field(description="证照标识 (GB/T 36904)")
    version: int
    type: LicenceTypeName
    number: str = Field(description="证照编号")
    holders: list[LicenceHolder]
    issuer: LicenceIssuer
    issued_on: date
    valid_from: date
    valid_to: date | None = Field(description="The last day; null: without end")
    items: list[LicenceItem]
    state: LicenceState
    issued_at: datetime
    supersedes: str | None
    superseded_by: str | None = Field(description="The version to use instead of this one")
    superseded_at: datetime | None
    origin: LicenceOrigin | None
    forms: list[str]
    links: LicenceLinks
    stale: Stale | None = Field(
        default=None, description="Present when the record at the source is wrong, or makes no licence, since some time"
    )


class LicenceAnswer(Answer):
    """One licence as JSON."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"as_of": _AT, "sources": _SOURCES, "licence": _LICENCE}]}
    )
    as_of: datetime
    sources: dict[str, list[Source]]
    licence: Licence


class LicencePage(Answer):
    """Licences in the order in which they were issued."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"as_of": _AT, "sources": _SOURCES, "licences": [_LICENCE], "next": None}]}
    )
    as_of: datetime
    sources: dict[str, list[Source]]
    licences: list[Licence]
    next: str | None = Field(description="Send it as `after` for the next page; null: this was the last")


class LicenceOperation(Answer):
    """An operation's code and name."""

    code: str
    name: Title


class LicenceEvent(Answer):
    """Something that was done to a licence."""

    number: int
    at: datetime
    operation: LicenceOperation
    from_state: str | None
    to_state: str
    text: str | None
    actor: str
    record_version: int | None


class LicenceVersion(Answer):
    """One version with what was done to it, the newest first."""

    identifier: str
    version: int
    state: LicenceState
    issued_on: date
    valid_from: date
    valid_to: date | None
    issued_at: datetime
    superseded_at: datetime | None
    record_version: int | None
    batch: int | None
    events: list[LicenceEvent]


class LicenceHistory(Answer):
    """Every version of a licence, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"identifier": _IDENTIFIER, "as_of": _AT, "sources": _SOURCES, "versions": [_VERSION]}]
        }
    )
    identifier: str
    as_of: datetime
    sources: dict[str, list[Source]]
    versions: list[LicenceVersion]


class CopyLinks(BaseModel):
    """Where more is."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    self_: str = Field(alias="self")
    verification: str


class LicenceCopy(Answer):
    """An annotated copy 加注件."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COPY]})
    id: str
    licence: str
    requested_by: str
    cause: str
    client: str
    created_at: datetime
    valid_until: datetime
    revoked_at: datetime | None
    seal_revoked_at: datetime | None = Field(
        description="Its seal's key was compromised then: nobody believes this copy any more; have another one made "
        "签章密钥已泄露作废，本加注件不再可信，须重新制作"
    )
    links: CopyLinks


class LicenceCopies(Answer):
    """The copies of a licence, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"identifier": _IDENTIFIER, "copies": [_COPY]}]})
    identifier: str
    copies: list[LicenceCopy]


class CopyWanted(BaseModel):
    """What a copy is for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "requested_by": _COPY["requested_by"],
                    "cause": _COPY["cause"],
                    "valid_until": "2026-12-23T05:36:52Z",
                }
            ]
        },
    )
    requested_by: Text200 = Field(description="Who will use it 用证单位")
    cause: Text200 = Field(description="What for 用证事由")
    valid_until: AwareDatetime = Field(description="With offset; the copy ends then, or with the licence 有效期至")


class VerificationCheck(Answer):
    """One question and its answer."""

    name: str
    passed: bool | None = Field(description="null: could not be asked")
    code: str
    zh: str
    en: str


class Verification(BaseModel):
    """What a verification found: the members of the VC API, and the hub's own verdict."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "verified": False,
                    "checks": ["proof"],
                    "warnings": [],
                    "errors": ["signature: the signature does not fit: content or proof was changed"],
                    "problemDetails": [
                        {
                            "type": "https://www.w3.org/TR/vc-data-model#CRYPTOGRAPHIC_SECURITY_ERROR",
                            "title": "签名与内容不符：内容或签名被改动",
                            "detail": "the signature does not fit: content or proof was changed",
                            "code": "signature",
                        }
                    ],
                    "verdict": {"outcome": "not_genuine", "checks": []},
                }
            ]
        }
    )
    verified: bool = Field(description="Whether it may be relied on now")
    checks: list[str] = Field(description="What was looked at")
    warnings: list[str]
    errors: list[str]
    problemDetails: list[dict[str, Any]]  # noqa: N815  (the VC API's own spelling)
    verdict: dict[str, Any] = Field(description="outcome, and each check with its reason in both languages")
    credential: dict[str, Any] | None = Field(default=None, description="With options.returnCredential, if genuine")


class IssuedCredential(Answer):
    """A credential as it was signed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "verifiableCredential": {
                        "@context": ["https://www.w3.org/ns/credentials/v2"],
                        "id": "urn:uuid:4f0c2f6f-3bb7-443f-9a0e-6c1d2b3a4958",
                        "type": ["VerifiableCredential"],
                    }
                }
            ]
        }
    )
    verifiableCredential: dict[str, Any]  # noqa: N815


class StatusChanged(Answer):
    """What came of a change of status."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"credentialId": "urn:uuid:4f0c2f6f-3bb7-443f-9a0e-6c1d2b3a4958", "changed": True}]
        }
    )
    credentialId: str  # noqa: N815
    changed: bool = Field(description="false: it was said already")


class SharingHead(Answer):
    """How it went: 0, 10-13, 21-23."""

    status: int
    message: str


class SharingAnswer(Answer):
    """The answer of the sharing service (GB/T 36906); always HTTP 200."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"head": {"status": 10, "message": "未找到匹配的证照信息"}, "data": None},
                {"head": {"status": 0, "message": "成功"}, "data": {"ZZMC": "食品经营许可证"}},
            ]
        }
    )
    head: SharingHead
    data: dict[str, Any] | list[dict[str, Any]] | None
