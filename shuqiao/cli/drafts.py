"""A manifest to start from: what discovery found, with the schema's fields where names agree, and TODO for the rest."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from connectors.source import DiscoveredField, DiscoveredTable
from schemas import catalogue
from shuqiao.cli.discovering import Offer
from shuqiao.cli.failures import usage

_CLOSE = 0.75
_DATES = ("date", "timestamp", "datetime", "time")


def draft(offer: Offer, schema: str | None) -> str:
    """The text of a manifest. Raises Failure if several tables could be meant, SchemaError for an unknown schema."""
    if len(offer.tables) != 1:
        there = ", ".join(table.name for table in offer.tables[:20]) or "none"
        raise usage("草稿只针对一个表 a draft is made of one table", f"--table: {there}", place="--draft")
    return "\n".join(_lines(offer, offer.tables[0], schema)) + "\n"


def _lines(offer: Offer, table: DiscoveredTable, schema: str | None) -> Iterator[str]:
    name = table.name.rpartition("/")[2].rpartition(".")[2].lower().replace("_", "-") or "records"
    department = (offer.connection or "department").replace("_", "-")
    dataset = schema.partition("@")[0] if schema else "TODO"
    titles = catalogue.title(schema) if schema else ("TODO", "TODO")
    yield "# 草稿 Draft: complete every TODO, then: shuqiao connectors check"
    yield f"connector: {department}.{name}"
    yield f"title: {{zh: {_text(titles[0])}, en: {_text(titles[1])}}}"
    yield f"department: {department}"
    yield "owner: {name: TODO, email: TODO@example.gov.cn}"
    yield "legal_basis: TODO"
    yield "source:"
    yield f"  kind: {offer.kind}"
    if offer.connection:
        yield f"  connection: {offer.connection}"
    for key, value in _source_settings(offer, table).items():
        yield f"  {key}: {_text(value)}"
    if table.key:
        yield f"  row_id: {_text(list(table.key))}"
    moments = [field.name for field in table.fields if _is_date(field)]
    if offer.kind == "sql" and moments:
        yield f"  # cursor: {{column: {_text(moments[-1])}, lookback: 10m}}   # TODO: when was a row written?"
    yield f"dataset: {dataset}"
    yield f"schema: {schema or 'TODO@1'}"
    yield f"key: {_key(schema)}"
    yield "mapping:"
    yield from _mapping(table, schema)
    yield 'schedule: "0 * * * *"'
    yield "freshness: 1d"
    yield "limits: {max_refused: 5%, max_shrink: 20%}"


def _source_settings(offer: Offer, table: DiscoveredTable) -> dict[str, Any]:
    if offer.kind == "sql":
        return {"table": table.name}
    return {"path": table.name, **offer.settings}


def _key(schema: str | None) -> str:
    field = catalogue.entity_field(schema) if schema else None
    return f"[{field}]   # TODO: what identifies a record within the dataset?" if field else "[TODO]"


def _mapping(table: DiscoveredTable, schema: str | None) -> Iterator[str]:
    if schema is None:
        for field in table.fields:
            yield f"  {field.name.lower()}: {{from: {_text(field.name)}{_as(field)}}}   # {field.type}"
        return
    definition = catalogue.schema(schema)
    left = {field.name: field for field in table.fields}
    for name, about in definition.get("properties", {}).items():
        required = name in definition.get("required", ())
        title = f"{about.get('title', '')} {about.get('x-title-en', '')}".strip() + (
            " (必填 required)" if required else ""
        )
        close = difflib.get_close_matches(name, [each.lower() for each in left], n=1, cutoff=_CLOSE)
        column = next((each for each in left if close and each.lower() == close[0]), None)
        if column is not None:
            field = left.pop(column)
            yield f"  {name}: {{from: {_text(column)}{_as(field)}}}   # {title}"
        else:
            yield f"  {'' if required else '# '}{name}: {{from: TODO}}   # {title}"
    for field in left.values():
        yield f"  # 未映射 not mapped: {field.name} ({field.type})"


def _as(field: DiscoveredField) -> str:
    return ", as: date" if field.type.lower() == "date" else ", as: datetime" if _is_date(field) else ""


def _is_date(field: DiscoveredField) -> bool:
    return field.type.lower().startswith(_DATES)


def _text(value: Any) -> str:
    """As YAML has it in one line: JSON is YAML, and plain words need no quotes."""
    if (
        isinstance(value, str)
        and value.replace("_", "").replace(".", "").replace("-", "").isalnum()
        and not value[0].isdigit()
    ):
        return value
    return json.dumps(value, ensure_ascii=False)
