"""From an opened file to batches of rows: unpacked, checked for what it pretends to be, read in its format."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, Final

from connectors.errors import SourceMisconfigured, SourceUnavailable
from connectors.kinds import documents
from connectors.kinds.documents import Columns, HalfWritten, Item
from connectors.kinds.file import containers
from connectors.kinds.file.delimited import csv_rows
from connectors.kinds.file.elements import xml_items
from connectors.kinds.file.json_array import json_items
from connectors.kinds.file.settings import Layout, Limits
from connectors.kinds.file.workbook import xlsx_rows
from connectors.source import RefusedRow, Rows

OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a file."""

    settings: Mapping[str, Any]
    layout: Layout
    limits: Limits
    is_local: bool


def batches_of_file(
    raw: IO[bytes], name: str, where: str, columns: tuple[str, ...], opening: Opening
) -> Iterator[Rows]:
    """The rows of one file, or of every matching member of an archive."""
    try:
        with containers.unpacking(where):
            for inner_name, inner_where, stream in _unpacked(raw, name, where, opening):
                yield from _rows(stream, inner_name, inner_where, columns, opening)
    except HalfWritten as error:
        raise SourceUnavailable(f"{error}; is it still being written?") from None


def _unpacked(raw: IO[bytes], name: str, where: str, opening: Opening) -> Iterator[tuple[str, str, Any]]:
    """What is inside: of an archive its members, else the file itself; each with its name and place."""
    counted = containers.limited_file(raw, where, opening.limits)
    stream = io.BufferedReader(counted, 1 << 17)
    start = stream.peek(4)[:4]
    if start[:2] == containers.GZIP:
        yield name.removesuffix(".gz"), where, containers.gunzipped(stream, counted, where, opening.limits)
    elif name.lower().endswith(".zip") or (start in containers.ZIP and _is_archive(name, opening)):
        with ExitStack() as stack:
            inner = stack.enter_context(_seekable(stream, raw, opening))
            opened = stack.enter_context(
                containers.archive(
                    inner,
                    where,
                    opening.limits,
                    names=opening.settings.get("member_encoding", "gb18030"),
                    broken=SourceUnavailable,
                )
            )
            yield from containers.members(opened, where, opening.limits, opening.settings.get("members", "*"))
    else:
        yield name, where, stream


def _is_archive(name: str, opening: Opening) -> bool:
    return "members" in opening.settings or opening.layout.format_of(name, name) != "xlsx"


def _seekable(stream: IO[bytes], raw: IO[bytes], opening: Opening) -> Any:
    if opening.is_local:
        raw.seek(0)
        return containers.seekable(raw, as_it_is=True)
    return containers.seekable(stream, as_it_is=False)


def _rows(stream: Any, name: str, where: str, columns: tuple[str, ...], opening: Opening) -> Iterator[Rows]:
    layout, limits = opening.layout, opening.limits
    form = layout.format_of(name, where)
    start = stream.peek(256)[:256]
    if documents.looks_like_html(start):
        raise SourceMisconfigured(
            f"{where}: is a web page (HTML) instead of {form.upper()}; was a login or error page saved as the file?"
        )
    if form == "xlsx":
        yield from _workbook(stream, start, where, columns, opening)
    elif form == "csv":
        names, items = csv_rows(stream, where, columns, layout, limits)
        yield from _in_columns(names, items, where)
    else:
        yield from _objects(stream, form, where, columns, opening)


def _workbook(stream: Any, start: bytes, where: str, columns: tuple[str, ...], opening: Opening) -> Iterator[Rows]:
    if start.startswith(OLD_WORKBOOK):
        raise SourceMisconfigured(
            f"{where}: is an Excel file of the old kind (.xls) or protected by a password; ask for .xlsx without one"
        )
    with containers.seekable(stream, as_it_is=False) as inner:
        names, items = xlsx_rows(inner, where, columns, opening.layout, opening.limits)
        yield from _in_columns(names, items, where)


def _objects(stream: Any, form: str, where: str, columns: tuple[str, ...], opening: Opening) -> Iterator[Rows]:
    layout, limits = opening.layout, opening.limits
    if form == "ndjson":
        items = documents.ndjson_items(
            stream,
            where,
            encoding=layout.encoding,
            max_field=limits.max_field,
            max_record=limits.max_record,
            ends_are_final=layout.final,
        )
    else:
        items = (json_items if form == "json" else xml_items)(stream, where, layout, limits)
    chooser = Columns(columns, layout.optional)
    for batch in documents.in_batches(items):
        yield chooser.batch(where, batch)


def _in_columns(names: tuple[str, ...], items: Iterable[Item], where: str) -> Iterator[Rows]:
    """Rows whose values stand in column order already."""
    batches = 0
    for batch in documents.in_batches(items):
        batches += 1
        yield _batch(names, batch, where)
    if not batches:
        yield Rows(names, (), where)


def _batch(names: tuple[str, ...], items: Sequence[Item], where: str) -> Rows:
    good = [item for item in items if not isinstance(item.row, RefusedRow)]
    return Rows(
        columns=names,
        rows=[item.row for item in good],
        where=where,
        first=items[0].number,
        numbers=[item.number for item in good],
        refused=[item.row for item in items if isinstance(item.row, RefusedRow)],
    )
