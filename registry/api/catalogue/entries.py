"""An entry of the catalogue: what the registry, the schemas and the counts say of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from typing import Any

from registry.api.representations import dataset_summary
from registry.storage.reads.dataset_quality import Punctuality, Quality
from registry.storage.reads.datasets import DatasetState
from schemas import catalogue, code_lists
from schemas.changes import changes
from schemas.errors import SchemaError
from schemas.fields import Field, fields

SHARING: Mapping[str, tuple[str, str, str, str]] = {
    "unconditional": (
        "无条件共享", "Unconditional",
        "因履行职责需要即可使用：由数桥运营方登记授权，无需数据所属部门审核。",
        "Whoever needs it for its duties gets it: the hub's operator enters the grant; the owner need not agree.",
    ),
    "conditional": (
        "有条件共享", "Conditional",
        "向数据所属部门申请，说明用途、字段和期限；部门同意，或说明理由后不同意。",
        "Apply to the owning department: purpose, fields, how long. It agrees, or refuses with reasons.",
    ),
    "none": (
        "不予共享", "Not shared",
        "仅在法律、行政法规有依据时提供：申请时须写明依据。",
        "Given only where a law or an administrative regulation says so; name it when you apply.",
    ),
}  # fmt: skip
"""Of each sharing class: its name in both languages, and how to come to the data."""
APPLY = "/docs/grants"
"""The page that says how to apply."""


def entry(dataset: DatasetState, quality: Quality, at: datetime, base: str) -> dict[str, Any]:
    """A dataset in the list. ``base``: the hub's public address."""
    summary = dataset_summary(dataset, at)
    name_zh, name_en, how_zh, how_en = SHARING[dataset.sharing]
    return {
        **{name: summary[name] for name in ("dataset", "title", "department", "sharing")},
        "sharing_title": {"zh": name_zh, "en": name_en},
        "how_to_apply": {"zh": how_zh, "en": how_en, "page": f"{base}{APPLY}"},
        "contacts": _contacts(quality),
        **{name: summary[name] for name in ("key", "entity_field", "records", "oldest_read_at", "registered_at")},
        "schema_reference": dataset.schema,
        "schema_address": schema_address(base, dataset.schema),
        "freshness": [
            {**source, "kept": [_kept(each) for each in quality.punctuality.get(source["connector"], ())]}
            for source in summary["sources"]
        ],
        "quality": {
            "rows_read_30_days": quality.pulled,
            "rows_refused_30_days": quality.refused,
            "refusal_share": _share(quality.refused, quality.pulled),
            "open_refusals": quality.open_refusals,
            "stale_records": quality.stale,
        },
        "page": f"{base}/catalogue/{dataset.name}",
    }


def detailed(dataset: DatasetState, quality: Quality, at: datetime, base: str) -> dict[str, Any]:
    """A dataset with its fields and the versions of its schema."""
    return {
        **entry(dataset, quality, at, base),
        "fields": [_field(each, quality, base) for each in _fields(dataset.schema)],
        "sampled_records": quality.sampled,
        "versions": versions(dataset, base),
    }


def versions(dataset: DatasetState, base: str) -> list[dict[str, Any]]:
    """Every version of the dataset's schema that this hub has, the newest first, each with what changed."""
    name = dataset.schema.partition("@")[0]
    references = sorted(
        (each for each in catalogue.references() if each.partition("@")[0] == name), key=_major, reverse=True
    )
    older = dict(pairwise(references))
    return [
        {
            "schema_reference": reference,
            "schema_address": schema_address(base, reference),
            "current": reference == dataset.schema,
            "changes": _changes(older.get(reference), reference),
        }
        for reference in references
    ]


def schema_address(base: str, reference: str) -> str | None:
    """Where the JSON Schema is served; None for a schema that this hub does not have."""
    name, _, major = reference.partition("@")
    return f"{base}/schemas/datasets/{name}/{major}.json" if reference in catalogue.references() else None


def published_schema(reference: str, base: str) -> dict[str, Any]:
    """The schema as it is served: complete in itself, with its own address. Raises SchemaError."""
    return {**catalogue.schema(reference), "$id": f"{schema_address(base, reference)}"}


def published_code_list(name: str) -> dict[str, Any]:
    """A code list as it is served. Raises UnknownCodeList."""
    found = code_lists.load(name)
    return {"name": found.name, "source": found.source, "codes": [asdict(code) for code in found]}


def _major(reference: str) -> int:
    return int(reference.partition("@")[2])


def _fields(reference: str) -> Sequence[Field]:
    try:
        return fields(catalogue.schema(reference))
    except SchemaError:
        return ()


def _changes(older: str | None, newer: str) -> list[dict[str, Any]]:
    if older is None:
        return []
    return [asdict(change) for change in changes(catalogue.schema(older), catalogue.schema(newer))]


def _field(found: Field, quality: Quality, base: str) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": {"zh": found.zh, "en": found.en},
        "kind": found.kind,
        "required": found.required,
        "personal": found.personal,
        "codes": list(found.codes),
        "code_list": None if found.code_list is None else f"{base}/schemas/code-lists/{found.code_list}.json",
        "completeness": _share(quality.present.get(found.name, 0), quality.sampled) if quality.present else None,
    }


def _contacts(quality: Quality) -> list[dict[str, str]]:
    """Each once: several connectors may have the same people behind them."""
    return [asdict(contact) for contact in dict.fromkeys(quality.contacts.values())]


def _kept(found: Punctuality) -> dict[str, Any]:
    return {**asdict(found), "share": _share(found.in_time, found.batches)}


def _share(part: int, whole: int) -> float | None:
    """None where there is nothing to speak of."""
    return round(part / whole, 4) if whole else None
