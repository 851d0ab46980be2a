"""The shapes of the catalogue's answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from registry.api.models import Answer, Source, Title

_BASE = "https://hub.example.cn"
_ENTRY: dict[str, Any] = {
    "dataset": "legal_entity",
    "title": {"zh": "市场主体登记信息", "en": "Legal entity registration"},
    "department": "market-supervision",
    "sharing": "conditional",
    "sharing_title": {"zh": "有条件共享", "en": "Conditional"},
    "how_to_apply": {
        "zh": "向数据所属部门申请，说明用途、字段和期限；部门同意，或说明理由后不同意。",
        "en": "Apply to the owning department: purpose, fields, how long. It agrees, or refuses with reasons.",
        "page": f"{_BASE}/docs/grants",
    },
    "contacts": [{"name": "Data office", "email": "data@market.example.gov.cn"}],
    "key": ["uscc"],
    "entity_field": "uscc",
    "records": 4950,
    "oldest_read_at": "2026-11-23T05:30:00Z",
    "registered_at": "2026-11-01T00:00:00Z",
    "schema_reference": "legal_entity@1",
    "schema_address": f"{_BASE}/schemas/datasets/legal_entity/1.json",
    "freshness": [
        {
            "connector": "market-supervision.enterprise",
            "department": "market-supervision",
            "read_at": "2026-11-23T05:30:00Z",
            "age_seconds": 412,
            "freshness_seconds": 7200,
            "late": False,
            "kept": [
                {"days": 30, "batches": 720, "in_time": 714, "share": 0.9917},
                {"days": 90, "batches": 2160, "in_time": 2150, "share": 0.9954},
            ],
        }
    ],
    "quality": {
        "rows_read_30_days": 5210,
        "rows_refused_30_days": 52,
        "refusal_share": 0.01,
        "open_refusals": 31,
        "stale_records": 4,
    },
    "page": f"{_BASE}/catalogue/legal_entity",
}
_FIELD: dict[str, Any] = {
    "name": "division",
    "title": {"zh": "住所所在行政区划", "en": "Division of the address"},
    "kind": "string",
    "required": False,
    "personal": False,
    "codes": [],
    "code_list": f"{_BASE}/schemas/code-lists/divisions.json",
    "completeness": 0.998,
}
_AS_OF = "2026-11-23T05:36:52Z"


class Contact(Answer):
    """Who answers for the data."""

    name: str
    email: str


class HowToApply(Answer):
    """How to come to the data."""

    zh: str
    en: str
    page: str = Field(description="The page that says how to apply 申请说明")


class Kept(Answer):
    """How a promise was kept over some days."""

    days: int
    batches: int = Field(description="Publications that followed another one")
    in_time: int = Field(description="Those that came before the data was older than promised 按时更新的批次")
    share: float | None = Field(description="`in_time` of `batches`; null: there were none, or nothing is promised")


class Freshness(Source):
    """A connector, how old its data is, and how its promise was kept."""

    model_config = ConfigDict(json_schema_extra={"examples": _ENTRY["freshness"]})
    kept: list[Kept]


class DatasetQuality(Answer):
    """What was wrong with what came."""

    rows_read_30_days: int
    rows_refused_30_days: int
    refusal_share: float | None = Field(description="null: nothing was read")
    open_refusals: int = Field(description="Refused records that departments have to correct 待更正数据")
    stale_records: int = Field(description="Records whose present form at the source was refused 来源处有误的记录")


class CatalogueEntry(Answer):
    """A dataset, as anyone may know of it 资源目录项."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})
    dataset: str
    title: Title
    department: str = Field(description="Whose it is 数据所属部门")
    sharing: Literal["unconditional", "conditional", "none"]
    sharing_title: Title
    how_to_apply: HowToApply
    contacts: list[Contact]
    key: list[str]
    entity_field: str | None
    records: int = Field(description="About how many records it holds now")
    oldest_read_at: datetime | None
    registered_at: datetime
    schema_reference: str
    schema_address: str | None = Field(description="The JSON Schema (2020-12) of a record's body")
    freshness: list[Freshness]
    quality: DatasetQuality
    page: str


class CatalogueField(Answer):
    """A field of a dataset's records."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FIELD]})
    name: str
    title: Title
    kind: str = Field(description="The JSON type")
    required: bool
    personal: bool = Field(description="About a natural person: masked unless granted by name 个人信息")
    codes: list[str] = Field(description="Its values, if there are few")
    code_list: str | None = Field(description="Where its code list is served 代码集")
    completeness: float | None = Field(
        description="In which share of a sample of the records it is there; null: fewer than 20 records"
    )


class SchemaChange(Answer):
    """A difference to the version before."""

    pointer: str
    breaking: bool
    zh: str
    en: str


class SchemaVersion(Answer):
    """A version of a dataset's schema."""

    schema_reference: str
    schema_address: str | None
    current: bool
    changes: list[SchemaChange] = Field(description="Since the version before")


class CatalogueDataset(CatalogueEntry):
    """A dataset with its fields."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": _AS_OF,
                    **_ENTRY,
                    "fields": [_FIELD],
                    "sampled_records": 2000,
                    "versions": [
                        {
                            "schema_reference": "legal_entity@1",
                            "schema_address": _ENTRY["schema_address"],
                            "current": True,
                            "changes": [],
                        }
                    ],
                }
            ]
        }
    )
    as_of: datetime
    fields_: list[CatalogueField] = Field(alias="fields")
    sampled_records: int
    versions: list[SchemaVersion]


class Catalogue(Answer):
    """Every dataset that this hub shares."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"as_of": _AS_OF, "datasets": [_ENTRY]}]})
    as_of: datetime
    datasets: list[CatalogueEntry]


class ListedCode(Answer):
    """A code of a list."""

    code: str
    zh: str
    en: str
    parent: str | None
    valid_from: date | None
    valid_to: date | None = Field(description="The last day on which it was valid")


class CodeList(Answer):
    """A code list 代码集."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "currencies",
                    "source": "GB/T 12406",
                    "codes": [
                        {"code": "CNY", "zh": "人民币元", "en": "Yuan renminbi", "parent": None, "valid_from": None,
                         "valid_to": None}
                    ],
                }
            ]
        }
    )  # fmt: skip
    name: str
    source: str
    codes: list[ListedCode]
