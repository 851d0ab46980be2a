"""The shapes of answers, for the OpenAPI description; tests hold the answers to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NO_NUL = r"^[^\u0000]*$"
"""Text that a database can hold."""
EXAMPLE_USCC = "91310000MA1FL00A0Q"
EXAMPLE_SOURCE: dict[str, Any] = {
    "connector": "market-supervision.enterprise",
    "department": "market-supervision",
    "read_at": "2026-11-23T05:30:00Z",
    "age_seconds": 412,
    "freshness_seconds": 7200,
    "late": False,
}
EXAMPLE_RECORD: dict[str, Any] = {
    "key": EXAMPLE_USCC,
    "entity": EXAMPLE_USCC,
    "version": 1024,
    "valid_from": "2026-11-20T02:00:00Z",
    "valid_to": None,
    "connector": "market-supervision.enterprise",
    "batch": 7,
    "body": {"uscc": EXAMPLE_USCC, "name": "上海示例科技有限公司", "status": "active"},
}
_REASON: dict[str, Any] = {"pointer": "/established_on", "rule": "format", "zh": "应为日期", "en": "expected a date"}
_STALE: dict[str, Any] = {"since": "2026-11-22T18:00:00Z", "reasons": [_REASON]}
_DATASET: dict[str, Any] = {
    "dataset": "legal_entity",
    "title": {"zh": "市场主体登记信息", "en": "Legal entity registration"},
    "department": "market-supervision",
    "sharing": "conditional",
    "schema_reference": "legal_entity@1",
    "key": ["uscc"],
    "entity_field": "uscc",
    "records": 4950,
    "oldest_read_at": "2026-11-23T05:30:00Z",
    "registered_at": "2026-11-01T00:00:00Z",
    "sources": [EXAMPLE_SOURCE],
}
_BATCH: dict[str, Any] = {
    "id": 7,
    "connector": "market-supervision.enterprise",
    "dataset": "legal_entity",
    "department": "market-supervision",
    "state": "published",
    "mode": "incremental",
    "dry_run": False,
    "schema": "legal_entity@1",
    "run_id": "scheduled__2026-11-20T02:00:00+00:00",
    "started_at": "2026-11-20T02:00:00Z",
    "ended_at": "2026-11-20T02:00:09Z",
    "pulled": 120,
    "accepted": 118,
    "refused": 2,
    "duplicates": 0,
    "delete_flags": 1,
    "new": 17,
    "changed": 90,
    "unchanged": 10,
    "deleted": 1,
    "held_reasons": [],
    "approved_by": None,
    "superseded_by": None,
}
_REFUSAL: dict[str, Any] = {
    "id": 31,
    "connector": "market-supervision.enterprise",
    "dataset": "legal_entity",
    "department": "market-supervision",
    "row_id": "310000000012345",
    "key": EXAMPLE_USCC,
    "place": "exchange.ent_info:1207",
    "reasons": [_REASON],
    "first_seen": "2026-11-22T18:00:00Z",
    "last_seen": "2026-11-23T05:30:00Z",
    "first_batch_id": 12,
    "last_batch_id": 19,
    "times_seen": 8,
    "closed_at": None,
    "closed_batch_id": None,
    "closed_because": None,
}


class Answer(BaseModel):
    """An answer's part; it has the members named here and no others."""

    model_config = ConfigDict(extra="forbid")


def with_example(**members: Any) -> ConfigDict:
    """The configuration of an answer's shape that has an example; tests hold it to the shape."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [members]})


class Title(Answer):
    """A title in both languages."""

    zh: str
    en: str


class Source(Answer):
    """A connector that feeds a dataset, and how old what it brought is."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_SOURCE]})
    connector: str
    department: str
    read_at: datetime | None = Field(description="When the source was last read to the end and published")
    age_seconds: int | None
    freshness_seconds: int | None = Field(description="How old the data may become, as the connector promises")
    late: bool = Field(description="Older than promised")


class Dataset(Answer):
    """A dataset 资源目录项."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DATASET]})
    dataset: str
    title: Title
    department: str
    sharing: Literal["unconditional", "conditional", "none"] = Field(description="无条件共享、有条件共享、不予共享")
    schema_reference: str
    key: list[str]
    entity_field: str | None
    records: int = Field(description="About how many records it holds now")
    oldest_read_at: datetime | None = Field(description="Nothing in the dataset is older than this; null: never read")
    registered_at: datetime
    sources: list[Source]


class DatasetDetail(Dataset):
    """A dataset with its schema."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_DATASET, "open_refusals": {}, "json_schema": None, "as_of": "2026-11-23T05:36:52Z"}]
        }
    )
    as_of: datetime
    open_refusals: dict[str, int] = Field(description="Records that departments have to correct, by connector")
    json_schema: dict[str, Any] | None = Field(description="JSON Schema (2020-12) of a record's body")


class DatasetList(Answer):
    """The datasets that the client may read."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"as_of": "2026-11-23T05:36:52Z", "datasets": [_DATASET]}]}
    )
    as_of: datetime
    datasets: list[Dataset]


class Reason(BaseModel):
    """Why a record was refused."""

    pointer: str
    rule: str
    zh: str
    en: str


class Stale(Answer):
    """What the source has now in this record's place was refused; this is the last good version."""

    model_config = ConfigDict(json_schema_extra={"examples": [_STALE]})
    since: datetime
    reasons: list[Reason]


class Marks(Answer):
    """What stands beside a record wherever it is shown 异议标注、信用修复."""

    disputed_since: datetime | None = Field(default=None, description="An objection is open since then 异议处理中")
    repaired_at: datetime | None = Field(
        default=None, description="A repair was granted: neither published nor shared since then 已修复"
    )
    withdrawn_at: datetime | None = Field(
        default=None, description="Annulled on an objection: neither published nor shared since then 已撤销"
    )


class Record(Answer):
    """One version of a record."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_RECORD, {**EXAMPLE_RECORD, "stale": _STALE}]})
    key: str
    entity: str | None = Field(description="Code of the entity that the record is about 市场主体代码")
    version: int
    valid_from: datetime
    valid_to: datetime | None = Field(description="null: valid now")
    connector: str
    batch: int
    body: dict[str, Any] | None = Field(
        description="As the dataset's schema says; null where `marks` say that it may no longer be shared"
    )
    marks: Marks | None = Field(default=None, description="There only if something stands beside the record")
    stale: Stale | None = Field(
        default=None, description="Present when the record is wrong at its source since some time"
    )


class RecordAnswer(Answer):
    """One record."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dataset": "legal_entity",
                    "as_of": "2026-11-23T05:36:52Z",
                    "sources": [EXAMPLE_SOURCE],
                    "record": EXAMPLE_RECORD,
                }
            ]
        }
    )
    dataset: str
    as_of: datetime = Field(description="The time for which the answer speaks")
    sources: list[Source]
    record: Record


class RecordPage(Answer):
    """Some records of a dataset, in the order of their keys."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dataset": "legal_entity",
                    "as_of": "2026-11-23T05:36:52Z",
                    "sources": [EXAMPLE_SOURCE],
                    "records": [EXAMPLE_RECORD],
                    "next": None,
                }
            ]
        }
    )
    dataset: str
    as_of: datetime
    sources: list[Source]
    records: list[Record]
    next: str | None = Field(description="Send it as `after` for the next page; null: this was the last")


class HistoryPage(Answer):
    """The versions of one record, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dataset": "legal_entity",
                    "key": EXAMPLE_USCC,
                    "as_of": "2026-11-23T05:36:52Z",
                    "sources": [EXAMPLE_SOURCE],
                    "versions": [EXAMPLE_RECORD],
                    "next": None,
                }
            ]
        }
    )
    dataset: str
    key: str
    as_of: datetime
    sources: list[Source]
    versions: list[Record]
    next: str | None


class EntityDataset(Answer):
    """What one dataset knows of an entity."""

    dataset: str
    title: Title
    department: str
    sources: list[Source]
    records: list[Record]
    more: str | None = Field(description="Where to read on when there are more records than fit here")


class Entity(Answer):
    """Everything that the granted datasets know of one entity."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entity": EXAMPLE_USCC,
                    "as_of": "2026-11-23T05:36:52Z",
                    "datasets": [
                        {
                            "dataset": "legal_entity",
                            "title": _DATASET["title"],
                            "department": "market-supervision",
                            "sources": [EXAMPLE_SOURCE],
                            "records": [EXAMPLE_RECORD],
                            "more": None,
                        }
                    ],
                }
            ]
        }
    )
    entity: str
    as_of: datetime
    datasets: list[EntityDataset]


class Change(Answer):
    """One entry of the change feed."""

    id: str = Field(description="Unique and the same for ever")
    dataset: str
    key: str
    entity: str | None = Field(description="Code of the entity; null when the record was deleted 市场主体代码")
    operation: Literal["new", "changed", "deleted", "marked"] = Field(
        description="marked: `marks` have changed, the record has not"
    )
    version: int
    at: datetime
    connector: str | None
    batch: int
    body: dict[str, Any] | None = Field(
        description="The record as this change left it; null: it was deleted or may no longer be shared, drop your copy"
    )
    marks: Marks | None = Field(
        default=None, description="What stands beside the record now; there only if something does"
    )
    stale: Stale | None = None


class ChangePage(Answer):
    """A stretch of the change feed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-11-23T05:36:52Z",
                    "sources": {"legal_entity": [EXAMPLE_SOURCE]},
                    "changes": [
                        {
                            "id": "812-1024",
                            "dataset": "legal_entity",
                            "key": EXAMPLE_USCC,
                            "entity": EXAMPLE_USCC,
                            "operation": "new",
                            "version": 1024,
                            "at": "2026-11-20T02:00:09Z",
                            "connector": "market-supervision.enterprise",
                            "batch": 7,
                            "body": EXAMPLE_RECORD["body"],
                        }
                    ],
                    "next": "WyJmZWVkIiw4MTIsMTAyNF0",
                    "more": False,
                }
            ]
        }
    )
    as_of: datetime
    sources: dict[str, list[Source]] = Field(description="How old the data of each dataset is")
    changes: list[Change]
    next: str = Field(description="Keep it, and send it as `after`: also when there was nothing new")
    more: bool = Field(description="There is more to read at once")


class Batch(Answer):
    """What one run of one connector pulled and published 批次."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BATCH]})
    id: int
    connector: str
    dataset: str
    department: str
    state: Literal["pulling", "held", "published", "superseded", "discarded", "dry_run"]
    mode: Literal["incremental", "full"]
    dry_run: bool
    # "schema" is a member of pydantic's models too; here it is the reference of the schema used
    schema_: str = Field(alias="schema")
    run_id: str | None
    started_at: datetime
    ended_at: datetime | None
    pulled: int
    accepted: int
    refused: int
    duplicates: int
    delete_flags: int
    new: int
    changed: int
    unchanged: int
    deleted: int
    held_reasons: list[dict[str, Any]]
    approved_by: str | None
    superseded_by: int | None


class BatchPart(Answer):
    """A part of a batch, pulled on its own."""

    number: int
    label: str
    attempts: int
    staged_at: datetime | None
    pulled: int
    accepted: int
    refused: int
    delete_flags: int
    unchanged: bool
    missing_columns: list[str]


class BatchDetail(Batch):
    """A batch with its parts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_BATCH, "parts": []}]})
    parts: list[BatchPart]


class BatchPage(Answer):
    """Batches, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"batches": [_BATCH], "next": None}]})
    batches: list[Batch]
    next: str | None


class Refusal(Answer):
    """A refused record: a ticket to its department 退回."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REFUSAL]})
    id: int
    connector: str
    dataset: str
    department: str
    row_id: str
    key: str | None
    place: str
    reasons: list[Reason]
    first_seen: datetime
    last_seen: datetime
    first_batch_id: int
    last_batch_id: int
    times_seen: int
    closed_at: datetime | None
    closed_batch_id: int | None
    closed_because: Literal["corrected", "deleted", "gone"] | None


class RefusalDetail(Refusal):
    """A refused record with the row as the department sent it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_REFUSAL, "raw": {"est_dt": "2026-02-30"}}]})
    raw: Any


class RefusalPage(Answer):
    """Refusals, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refusals": [_REFUSAL], "next": None}]})
    refusals: list[Refusal]
    next: str | None


class Token(Answer):
    """An access token (RFC 6749)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
                    "token_type": "Bearer",
                    "expires_in": 900,
                    "scope": "read:legal_entity",
                }
            ]
        }
    )
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class AuthorizationServer(Answer):
    """How tokens are asked for (RFC 8414)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "issuer": "https://hub.example.gov.cn",
                    "token_endpoint": "https://hub.example.gov.cn/api/v1/token",
                    "jwks_uri": "https://hub.example.gov.cn/.well-known/jwks.json",
                    "response_types_supported": [],
                    "grant_types_supported": ["client_credentials"],
                    "token_endpoint_auth_methods_supported": [
                        "client_secret_basic",
                        "client_secret_post",
                        "private_key_jwt",
                        "self_signed_tls_client_auth",
                        "tls_client_auth",
                    ],
                    "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256", "EdDSA"],
                    "tls_client_certificate_bound_access_tokens": True,
                    "service_documentation": "https://hub.example.gov.cn/docs",
                }
            ]
        }
    )
    issuer: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    tls_client_certificate_bound_access_tokens: bool
    service_documentation: str


class ParameterError(Answer):
    """A parameter that is wrong."""

    in_: str = Field(alias="in")
    pointer: str = Field(description="JSON Pointer into that part of the request")
    detail: str
    detail_zh: str


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/not-granted",
                    "title": "This is not granted to the client, or its token does not name it",
                    "title_zh": "未获授权",
                    "status": 403,
                    "detail": "The dataset legal_entity is not granted to the client.",
                    "detail_zh": "该客户端没有数据集 legal_entity 的授权。",
                    "advice": (
                        "A dataset: apply for a grant (/docs/grants), then get a new token."
                        " Else ask the operator for what detail names."
                    ),
                    "advice_zh": (
                        "数据资源：按 /docs/grants 申请授权，批准后重新取令牌；其他：请运营方授予 detail 所列范围。"
                    ),
                    "fault": "caller",
                    "instance": "/api/v1/datasets/legal_entity/records",
                    "trace_id": "4f0c2f6f3bb7443f9a0e6c1d2b3a4958",
                }
            ]
        },
    )
    type: str = Field(description="Stable; leads to a page about this kind of problem")
    title: str
    title_zh: str
    status: int
    detail: str
    detail_zh: str
    advice: str
    advice_zh: str
    fault: Literal["caller", "hub", "source"]
    instance: str
    trace_id: str
    errors: list[ParameterError] | None = None


class ProblemPage(Answer):
    """What a type of problem means."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/busy",
                    "status": 503,
                    "fault": "hub",
                    "title": {"zh": "系统繁忙", "en": "The hub has more to do than it can do now"},
                    "advice": {
                        "zh": "稍后按 Retry-After 重试。",
                        "en": "Try again after Retry-After; nothing is wrong with the request.",
                    },
                }
            ]
        }
    )
    type: str
    status: int
    fault: Literal["caller", "hub", "source"]
    title: Title
    advice: Title


class Health(Answer):
    """The process lives."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})
    status: Literal["alive"]


class Ready(Answer):
    """The API can serve reads."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready", "revision": "0001"}]})
    status: Literal["ready"]
    revision: str
