"""The shapes of bulk reads, for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from registry.api.bulk.forms import Form
from registry.api.models import EXAMPLE_RECORD, EXAMPLE_SOURCE, EXAMPLE_USCC, NO_NUL, Answer, Record, Source

MOST_KEYS = 1000
MOST_RECORDS = 1000
"""Records that one look-up by entities gives."""
PART_RECORDS = 5000
"""Records of one part at the most: each part is one answer, made whole before it leaves."""

_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_PART: dict[str, Any] = {
    "number": 0,
    "href": "/api/v1/datasets/legal_entity/exports/Zk3vQ0o8n5hT/parts/0",
    "records": 4950,
    "bytes": 2764800,
    "sha256": _SHA,
    "given_at": "2026-11-23T05:37:02Z",
}
_EXPORT: dict[str, Any] = {
    "id": "Zk3vQ0o8n5hT",
    "dataset": "legal_entity",
    "format": "ndjson",
    "schema_reference": "legal_entity@1",
    "as_of": "2026-11-23T05:36:52Z",
    "sources": [EXAMPLE_SOURCE],
    "changes": "WyJmZWVkIiw4MTIsMF0",
    "expires_at": "2026-11-24T05:36:52Z",
    "part_records": 5000,
    "parts": [_PART],
    "next": None,
    "complete": True,
    "records": 4950,
    "bytes": 2764800,
    "sha256": _SHA,
}


class Wanted(BaseModel):
    """What a client asks for; members that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


class ExportWanted(Wanted):
    """How an export is wanted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"format": "ndjson"}]})
    format: Form = Field(default="ndjson", description="Parquet for analysis, CSV for spreadsheets 导出格式")
    byte_order_mark: bool = Field(
        default=False, description="CSV: begin with a byte order mark, so that Excel reads UTF-8 供 Excel 打开"
    )
    part_records: int = Field(
        default=PART_RECORDS, ge=1, le=PART_RECORDS, description="How many records one part has 每个分片的记录数"
    )


class ExportPart(Answer):
    """A part of an export, as it was given last."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PART]})
    number: int
    href: str
    records: int
    bytes: int = Field(description="How long it is, before any compression on the way")
    sha256: str = Field(description="Digest of the part, hexadecimal")
    given_at: datetime


class Export(Answer):
    """An export: one moment of a dataset, fetched in parts."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXPORT]})
    id: str
    dataset: str
    format: Form
    schema_reference: str
    as_of: datetime = Field(description="About when its moment was; all parts are of the same one")
    sources: list[Source]
    changes: str = Field(
        description="Send it as `after` to `/changes` to go on from where the export ends 后续变更游标"
    )
    expires_at: datetime = Field(description="No part is given after this")
    part_records: int
    parts: list[ExportPart] = Field(description="What was given so far")
    next: str | None = Field(description="Where the first part lies that was not given yet; null: all were")
    complete: bool = Field(description="All parts were given")
    records: int = Field(description="In the parts given so far")
    bytes: int = Field(description="Of the parts given so far")
    sha256: str | None = Field(
        description=(
            "Digest of the whole, once it is complete: SHA-256 of the lines that `sha256sums` answers, one a part"
        )
    )


class ExportList(Answer):
    """A client's own exports of a dataset that are not over."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"as_of": "2026-11-23T05:36:52Z", "exports": []}]})
    as_of: datetime
    exports: list[ExportBrief]


class ExportBrief(Answer):
    """An export in the list."""

    id: str
    format: Form
    as_of: datetime
    expires_at: datetime
    href: str


Key = Annotated[str, Field(min_length=1, max_length=2000, pattern=NO_NUL)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]


class LookupWanted(Wanted):
    """Keys or entity codes, one of the two."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"keys": [EXAMPLE_USCC]}]})
    keys: list[Key] | None = Field(default=None, min_length=1, max_length=MOST_KEYS, description="主键")
    entities: list[Code] | None = Field(
        default=None, min_length=1, max_length=MOST_KEYS, description="Codes of entities 市场主体代码"
    )
    as_of: datetime | None = Field(default=None, description="As it was at this time (RFC 3339) 该时刻的数据")


class LookedUp(Answer):
    """What was found of one key or code."""

    asked: str = Field(description="The key or code, as it was asked for")
    found: bool
    records: list[Record] = Field(description="Of a key at most one")


class Lookup(Answer):
    """What was found, in the order in which it was asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dataset": "legal_entity",
                    "as_of": "2026-11-23T05:36:52Z",
                    "sources": [EXAMPLE_SOURCE],
                    "results": [{"asked": EXAMPLE_USCC, "found": True, "records": [EXAMPLE_RECORD]}],
                    "found": 1,
                    "missing": 0,
                }
            ]
        }
    )
    dataset: str
    as_of: datetime
    sources: list[Source]
    results: list[LookedUp]
    found: int = Field(description="How many of those asked for")
    missing: int


class CountGroup(Answer):
    """How many records have these values."""

    values: dict[str, str | int | float | bool | None] | None = Field(
        description="By field; null: all the groups that are too small to be shown, together"
    )
    count: int = Field(description="With noise; see docs")


class Counts(Answer):
    """Counts of a dataset's records by some fields, which tell of nobody in particular."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dataset": "legal_entity",
                    "as_of": "2026-11-22T16:00:00Z",
                    "sources": [EXAMPLE_SOURCE],
                    "by": ["status"],
                    "total": 4950,
                    "groups": [
                        {"values": {"status": "active"}, "count": 4800},
                        {"values": None, "count": 151},
                    ],
                    "smallest_group": 10,
                    "noise": "two-sided geometric, epsilon 0.5",
                }
            ]
        }
    )
    dataset: str
    as_of: datetime = Field(description="The last midnight of China Standard Time: counts change once a day")
    sources: list[Source]
    by: list[str]
    total: int | None = Field(description="All records, with noise; null: fewer than the smallest group")
    groups: list[CountGroup]
    smallest_group: int
    noise: Literal["two-sided geometric, epsilon 0.5"]


ExportList.model_rebuild()
