"""The forms in which records leave in bulk: NDJSON, CSV and Parquet, each part of an export a file of its own.

NDJSON and CSV parts come one after the other to one file (only the first part of a CSV file has a header). Parquet
parts are files of one folder, which every reader of Parquet takes as one table. All parts of an export have the same
columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from registry.api.representations import record
from registry.domain.bulk.cells import cell
from registry.domain.grants.projection import View
from registry.storage.reads.pool import Row

Form = Literal["ndjson", "csv", "parquet"]
MEDIA_TYPES: Mapping[Form, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
BYTE_ORDER_MARK = "\ufeff".encode()
META = (
    "_key",
    "_entity",
    "_version",
    "_valid_from",
    "_disputed_since",
    "_repaired_at",
    "_withdrawn_at",
    "_stale_since",
)
"""Columns beside those of the record itself: its key, entity, version, and what stands beside it."""
_ARROW = {"integer": "int64", "number": "float64", "boolean": "bool_", "string": "string"}


class CannotStand(ValueError):  # noqa: N818  (named for what was met)
    """A value that the form's column cannot hold."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a dataset as a client sees it."""

    view: View
    columns: tuple[tuple[str, str], ...]
    """Each granted field with the kind of its values: ``string``, ``integer``, ``number``, ``boolean``, ``json``."""


def table(schema: Mapping[str, Any], view: View) -> Table:
    """The columns for a schema and what a grant shows of it."""
    return Table(
        view,
        tuple(
            (name, "string" if name in view.masked else kind_of(field))
            for name, field in schema.get("properties", {}).items()
            if view.fields is None or name in view.fields
        ),
    )


def kind_of(field: Mapping[str, Any]) -> str:
    """Of what kind a field's values are; ``json``: objects, arrays, and what may be of several kinds."""
    found = {kind for part in (field, *field.get("allOf", ())) for kind in _kinds(part)} - {"null"}
    if not found and ("enum" in field or "pattern" in field or "format" in field):
        found = {"string"}
    if found == {"integer", "number"}:
        return "number"
    kind = next(iter(found)) if len(found) == 1 else "json"
    return kind if kind in _ARROW else "json"


def _kinds(part: Mapping[str, Any]) -> list[str]:
    kinds = part.get("type", [])
    return list(kinds) if isinstance(kinds, list) else [kinds]


def written(rows: Sequence[Row], shape: Table, form: Form, *, first: bool, byte_order_mark: bool) -> bytes:
    """Some rows as one part. ``first``: it begins the file. Raises CannotStand."""
    found = [record(row, shape.view) for row in rows]
    if form == "ndjson":
        return b"".join(orjson.dumps(each, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE) for each in found)
    plain = [_plain(each) for each in found]
    if form == "csv":
        begin = BYTE_ORDER_MARK if first and byte_order_mark else b""
        return begin + _csv(plain, shape, header=first)
    return _parquet(plain, shape)


def _plain(found: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The values of META, and the body."""
    body = found["body"]
    if isinstance(body, orjson.Fragment):
        body = orjson.loads(orjson.dumps(body))
    marks, stale = found.get("marks", {}), found.get("stale", {})
    beside = [marks.get(name) for name in ("disputed_since", "repaired_at", "withdrawn_at")]
    return [
        found["key"], found["entity"], found["version"], found["valid_from"], *beside, stale.get("since"),
    ], body or {}  # fmt: skip


def _csv(plain: Sequence[tuple[list[Any], dict[str, Any]]], shape: Table, *, header: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = [name for name, _ in shape.columns]
    if header:
        writer.writerow([*META, *names])
    for meta, body in plain:
        beside = [cell(value) if isinstance(value, str | int | None) else _moment(value) for value in meta]
        writer.writerow([*beside, *(cell(body.get(name)) for name in names)])
    return text.getvalue().encode()


def _moment(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode().strip('"')


def _parquet(plain: Sequence[tuple[list[Any], dict[str, Any]]], shape: Table) -> bytes:
    import pyarrow as pa  # noqa: PLC0415  (heavy, and needed here only)
    import pyarrow.parquet as pq  # noqa: PLC0415

    time = pa.timestamp("us", "UTC")
    kinds = [pa.string(), pa.string(), pa.int64(), time, time, time, time, time]
    arrays, fields = [], []
    for place, (name, kind) in enumerate(zip(META, kinds, strict=True)):
        arrays.append(pa.array([meta[place] for meta, _ in plain], kind))
        fields.append(pa.field(name, kind))
    for name, meant in shape.columns:
        kind = getattr(pa, _ARROW.get(meant, "string"))()
        values = [body.get(name) for _, body in plain]
        if meant in {"json", "string"}:
            values = [
                value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values
            ]
        try:
            arrays.append(pa.array(values, kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise CannotStand(name) from error
        fields.append(pa.field(name, kind))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sink, compression="zstd")
    return sink.getvalue()
