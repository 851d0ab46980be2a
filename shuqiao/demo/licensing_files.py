"""The licensing office's daily files: CSV in GB18030, XLSX, a zipped XML; each with a marker when it is complete.

The file of day 0 has everything; each later day's file what happened on that day.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl

from shuqiao.demo.generator import day_date
from shuqiao.demo.rosters import City, roster
from shuqiao.demo.rows import MAKERS, Row, Written, written_on
from shuqiao.demo.rows.licensing import FOOD_COLUMNS, PERMIT_COLUMNS

Writer = Callable[[Path, Iterable[Written]], int]
NOT_TEXT = b"\xff\xff"
"""Two bytes that GB18030 does not know."""


def outbox(data: Path) -> Path:
    """The folder that the SFTP server shows."""
    return data / "licensing" / "outbox"


def load(data: Path, city: City) -> int:
    """Write the files of day 0, and take away those of later days; rows written."""
    for old in sorted(outbox(data).rglob("*")):
        if old.is_file():
            old.unlink()
    return sum(_deliver(data, connector, 0, _everything(city, connector)) for connector in FILES)


def change(data: Path, city: City, day: int) -> int:
    """Write one later day's files; rows written."""
    written = 0
    for connector in FILES:
        happened = [after for _, _, after in written_on(city, connector, day) if after.rows]
        written += _deliver(data, connector, day, happened) if happened else 0
    return written


def _everything(city: City, connector: str) -> Iterator[Written]:
    make = MAKERS[connector]
    return (make(city, number, 0) for number in roster(city, connector).members(0))


def _deliver(data: Path, connector: str, day: int, written: Iterable[Written]) -> int:
    folder, suffix, write = FILES[connector]
    target = outbox(data) / folder / f"{folder}_{day_date(day):%Y%m%d}.{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    marker = target.with_name(f"{target.name}.ok")
    marker.unlink(missing_ok=True)
    beside = target.with_name(f".{target.name}.part")
    rows = write(beside, written)
    beside.replace(target)
    marker.write_text(f"{rows}\n", encoding="ascii")
    return rows


def _write_csv(path: Path, written: Iterable[Written]) -> int:
    count = 0
    with path.open("wb") as file:
        file.write(_line(list(FOOD_COLUMNS)))
        for each in written:
            kind = each.fault.kind if each.fault is not None else ""
            for row in each.rows:
                file.write(_csv_line(row, kind))
                count += 1
    return count


def _csv_line(row: Row, fault: str) -> bytes:
    values = [str(row[column]) for column in FOOD_COLUMNS]
    if fault == "too_many_columns":
        values.insert(5, "补充说明")
    line = _line(values)
    return line.replace(b",", b"," + NOT_TEXT, 1) if fault == "broken_encoding" else line


def _line(values: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode("gb18030")


def _write_xlsx(path: Path, written: Iterable[Written]) -> int:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("行政许可")
    sheet.append(list(PERMIT_COLUMNS))
    count = 0
    for each in written:
        for row in each.rows:
            sheet.append([row[column] for column in PERMIT_COLUMNS])
            count += 1
    book.save(path)
    return count


def _write_xml(path: Path, written: Iterable[Written]) -> int:
    count = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("资质证书.xml", "w", force_zip64=True) as file,
    ):
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<资质证书列表>\n'.encode())
        for each in written:
            for row in each.rows:
                file.write(f"{_element('资质证书', row)}\n".encode())
                count += 1
        file.write("</资质证书列表>\n".encode())
    return count


def _element(name: str, value: Row | str) -> str:
    inner = "".join(_element(*each) for each in value.items()) if isinstance(value, dict) else escape(value)
    return f"<{name}>{inner}</{name}>"


FILES: dict[str, tuple[str, str, Writer]] = {
    "licensing.food-business": ("food", "csv", _write_csv),
    "licensing.permits": ("permits", "xlsx", _write_xlsx),
    "licensing.construction": ("construction", "zip", _write_xml),
}
"""Connector -> folder below the outbox, ending of the file's name, how it is written."""
