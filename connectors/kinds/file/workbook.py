"""XLSX: rows as they stream out of one sheet, typed as the workbook types them."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from connectors.errors import RowRefused, SourceMisconfigured
from connectors.kinds import documents
from connectors.kinds.documents import Item
from connectors.kinds.file.containers import archive
from connectors.kinds.file.delimited import picker
from connectors.kinds.file.settings import Layout, Limits
from connectors.kinds.measures import readable_size

LAST_ROW: Final = 1 << 20
"""Excel's own limit: 1,048,576 rows."""
CELL_ERRORS: Final = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})
EMPTY_ROWS_IN_A_ROW: Final = 100_000
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    InvalidFileException,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    SyntaxError,
)
"""What openpyxl raises over a workbook that is none."""


def xlsx_rows(
    stream: IO[bytes], where: str, columns: Sequence[str], layout: Layout, limits: Limits
) -> tuple[tuple[str, ...], Iterator[Item]]:
    """The columns and the rows of one sheet; ``stream`` can be jumped about in."""
    _guard(stream, where, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl's remarks about styles and extensions it does not know
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            sheet = _sheet(book, where, layout.sheet)
            sheet.reset_dimensions()  # what the sheet says of its size may be wrong
            rows = sheet.iter_rows(values_only=True)
            header = _header(rows, where, layout.header_row)
    except _DAMAGE as error:
        raise _damaged(where, error) from None
    names = tuple(columns) or tuple(name for name in header if name)
    pick = picker(where, header, names, layout.optional)
    return names, _rows(rows, f"{where}!{sheet.title}", layout.header_row, len(header), pick, limits)


def _guard(stream: IO[bytes], where: str, limits: Limits) -> None:
    """Look at the archive before openpyxl does."""
    with archive(stream, where, limits, names="utf-8", broken=SourceMisconfigured) as opened:
        if "[Content_Types].xml" not in opened.namelist():
            raise SourceMisconfigured(f"{where}: is a zip archive, but no XLSX workbook")
        for entry in opened.infolist():
            if entry.filename.endswith("sharedStrings.xml") and entry.file_size > limits.max_strings:
                raise SourceMisconfigured(
                    f"{where}: its table of texts is {readable_size(entry.file_size)}, expected at most "
                    f"{readable_size(limits.max_strings)} (setting max_strings); ask for CSV"
                )
            if entry.filename.endswith((".xml", ".rels")):
                _refuse_entities(opened, entry, where)
    stream.seek(0)


def _refuse_entities(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> None:
    try:
        with opened.open(entry) as part:
            start = part.read(8192)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(f"{where}!{entry.filename}", error) from None
    if b"<!DOCTYPE" in start.replace(b"\x00", b"") or b"<!ENTITY" in start.replace(b"\x00", b""):
        raise SourceMisconfigured(
            f"{where}!{entry.filename}: declares a document type, which no workbook does; entities are not expanded"
        )


def _damaged(where: str, error: Exception) -> SourceMisconfigured:
    return SourceMisconfigured(
        f"{where}: the workbook is cut short or damaged ({type(error).__name__}); ask the department to send it again"
    )


def _sheet(book: Any, where: str, wanted: str | int) -> Any:
    names = book.sheetnames
    if isinstance(wanted, int) and wanted <= len(names):
        wanted = names[wanted - 1]
    if wanted not in names:
        raise SourceMisconfigured(f"{where}: has no sheet {wanted} (setting sheet); it has {', '.join(names)}")
    sheet = book[wanted]
    if not hasattr(sheet, "reset_dimensions"):
        raise SourceMisconfigured(f"{where}: the sheet {wanted} holds a chart, no rows")
    return sheet


def _header(rows: Iterator[Sequence[Any]], where: str, header_row: int) -> tuple[str, ...]:
    for number, row in enumerate(rows, 1):
        if number == header_row:
            header = ["" if value is None else str(value).strip() for value in row]
            while header and not header[-1]:
                header.pop()
            return tuple(header)
    raise SourceMisconfigured(f"{where}: has no row {header_row} (setting header_row) to take the column names from")


def _rows(
    rows: Iterator[Sequence[Any]], where: str, header_row: int, width: int, pick: Any, limits: Limits
) -> Iterator[Item]:
    number, empty = header_row, 0
    while True:
        try:
            row = next(rows, None)
        except _DAMAGE as error:
            raise _damaged(where, error) from None
        if row is None:
            return
        number += 1
        if number > LAST_ROW:
            raise SourceMisconfigured(f"{where}: has rows beyond number {LAST_ROW}, the last that a workbook can have")
        if all(value is None for value in row):
            empty += 1
            if empty > EMPTY_ROWS_IN_A_ROW:
                raise SourceMisconfigured(f"{where}: {empty} empty rows one after the other up to row {number}")
            continue
        empty = 0
        yield _item(row, where, number, width, pick, limits)


def _item(row: Sequence[Any], where: str, number: int, width: int, pick: Any, limits: Limits) -> Item:
    try:
        weight = _inspect(row, width, limits)
    except RowRefused as error:
        return Item(number, 0, documents.refuse(f"{where}:{number}", {"cells": list(row)}, error))
    padded = row if len(row) >= width else (*row, *(None,) * (width - len(row)))
    return Item(number, weight, pick(padded))


def _inspect(row: Sequence[Any], width: int, limits: Limits) -> int:
    """The row's weight. Raises RowRefused if a cell cannot be taken."""
    if any(value is not None for value in row[width:]):
        raise RowRefused(
            "source.columns",
            f"第 {width} 列之后还有值,但表头只有 {width} 列。",
            f"got values beyond column {width}, expected {width} columns as in the header.",
        )
    weight = 16 * len(row)
    for value in row:
        if isinstance(value, str):
            weight += len(value)
            if len(value) > limits.max_field:
                raise documents.too_long(len(value), limits.max_field)
            if value in CELL_ERRORS:
                raise RowRefused("source.cell", f"单元格为错误值 {value}。", f"a cell holds the error {value}.")
            if not documents.is_text(value):
                raise documents.no_text(value)
    return weight
