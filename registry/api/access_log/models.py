"""The shapes of answers about the access log, for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from registry.api.models import Answer, with_example

_HASH = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
_ENTRY: dict[str, Any] = {
    "index": 7,
    "at": "2026-11-23T05:36:52.000678Z",
    "action": "GET /api/v1/entities/{entity}",
    "status": 200,
    "client": "client-0123456789abcdef",
    "dataset": None,
    "entity": "91310000MA1FL00A0Q",
    "entities": None,
    "fields": None,
    "purpose": "credit_lending",
    "case_number": "L-2026-000123",
    "request_digest": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
    "trace_id": "4f0c2f6f3bb7443f9a0e6c1d2b3a4958",
    "process": "0a1b2c3d4e5f",
}


_ACCESS: dict[str, Any] = {
    "index": 7,
    "at": "2026-11-23T05:36:52.000678Z",
    "action": "GET /api/v1/entities/{entity}",
    "client": "client-0123456789abcdef",
    "name": "桥州银行 a bank",
    "dataset": None,
    "fields": None,
    "purpose": "credit_lending",
}


class AccessEntry(Answer):
    """An entry of the access log."""

    model_config = with_example(**_ENTRY)

    index: int = Field(description="序号")
    at: datetime
    action: str = Field(description="Method and address of the route 操作")
    status: int
    client: str | None = Field(description="Null where anyone may ask 客户端")
    dataset: str | None
    entity: str | None = Field(description="The one enterprise that the answer is about 主体")
    entities: list[str] | None = Field(description="Several of them")
    fields: list[str] | None
    purpose: str | None = Field(description="用途")
    case_number: str | None = Field(description="业务编号")
    request_digest: str = Field(description="SHA-256 of what was asked, hexadecimal 请求摘要")
    trace_id: str
    process: str


class AccessEntries(Answer):
    """Entries of the access log, the newest first."""

    model_config = with_example(entries=[_ENTRY], archived=0, next="WyJhIiw3XQ")

    entries: list[AccessEntry]
    archived: int = Field(description="How many older entries are in archives, and not here 已归档条数")
    next: str | None


class Access(Answer):
    """That somebody was given something about an enterprise."""

    model_config = with_example(**_ACCESS)

    index: int = Field(description="Where it stands in the access log 序号")
    at: datetime
    action: str = Field(description="Method and address, or the command at a terminal 操作")
    client: str | None = Field(description="Null where anyone may ask 客户端")
    name: str | None = Field(description="The client's name; of the hub's own staff none 名称")
    dataset: str | None
    fields: list[str] | None = Field(description="Null where nothing was left out 字段")
    purpose: str | None = Field(description="用途")


class Accesses(Answer):
    """Who was given something about an enterprise, the newest first."""

    model_config = with_example(entity="91310000MA1FL00A0Q", accesses=[_ACCESS], archived=0, next=None)

    entity: str
    accesses: list[Access]
    archived: int = Field(description="Older entries, of any enterprise, that the operator has in archives 已归档条数")
    next: str | None


class InclusionProof(Answer):
    """That an entry stands in the log: RFC 9162, section 2.1.3. Hashes are base64."""

    model_config = with_example(
        index=7,
        size=8,
        leaf_hash=_HASH,
        path=[_HASH, _HASH, _HASH],
        root=_HASH,
        entry='{"action":"GET ..."}',
        archive=None,
    )

    index: int
    size: int
    leaf_hash: str
    path: list[str]
    root: str
    entry: str | None = Field(
        description="The bytes that the leaf hash is made of, for who made the request and for operators 条目原文"
    )
    archive: str | None = Field(
        description="The archive in which the entry stands, if it is no longer in the database 所在归档"
    )


class ConsistencyProof(Answer):
    """That the log begins with an earlier one: RFC 9162, section 2.1.4. Hashes are base64."""

    model_config = with_example(old=4, new=8, old_root=_HASH, new_root=_HASH, path=[_HASH])

    old: int
    new: int
    old_root: str
    new_root: str
    path: list[str]
