"""Hostile and broken files, each named for its flaw. Written by the tests into a temporary folder; none is kept.

``python make_assets.py FOLDER`` writes them for a look.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import openpyxl


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zipped(members: dict[str, bytes], *, level: int = 6) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_part(book: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A workbook one of whose parts is changed."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return zipped({e: change(archive.read(e)) if e == name else archive.read(e) for e in archive.namelist()})


BOOK: Final = workbook([["id", "name"], *([number, f"企业{number}" * 20] for number in range(500))])
SHEET: Final = "xl/worksheets/sheet1.xml"
ENTITIES: Final = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "haha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><r><row><id>&j;</id></row></r>"
)


def zip_bomb() -> bytes:
    return zipped({"a.csv": b"id\n" + b"0" * (64 << 20)}, level=9)


def lying_zip() -> bytes:
    """Its directory says that the member is small."""
    data = bytearray(zipped({"a.csv": b"id\n" + b"0\n" * 500_000}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(data)


def protected_zip() -> bytes:
    data = bytearray(zipped({"a.csv": b"id\n1\n"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def workbook_bomb() -> bytes:
    return with_part(BOOK, SHEET, lambda _: b"<worksheet>" + b" " * (64 << 20))


def workbook_with_rows_without_end() -> bytes:
    row = b'<row r="99999999"><c r="A99999999"><v>1</v></c></row></sheetData>'
    return with_part(BOOK, SHEET, lambda part: part.replace(b"</sheetData>", row))


def big_field(size: int = 100_000_000) -> Iterator[bytes]:
    yield b"id,name\n1,ok\n2,"
    for _ in range(size // 1_000_000):
        yield b"x" * 1_000_000
    yield b"\n3,ok\n"


ASSETS: Final[dict[str, bytes | Callable[[], bytes]]] = {
    "truncated.xlsx": BOOK[: len(BOOK) // 2],
    "damaged.xlsx": BOOK.replace(b"\x00\x00", b"\x00\x01"),
    "sheet_cut_short.xlsx": with_part(BOOK, SHEET, lambda part: part[: len(part) // 2]),
    "no_workbook.xlsx": zipped({"a.txt": b"x"}),
    "login_page.xlsx": b"<html><body>login</body></html>",
    "old_kind.xlsx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500,
    "bomb.xlsx": workbook_bomb,
    "entities.xlsx": with_part(BOOK, SHEET, lambda _: ENTITIES),
    "rows_without_end.xlsx": workbook_with_rows_without_end,
    "bomb.csv.zip": zip_bomb,
    "lying.csv.zip": lying_zip,
    "protected.csv.zip": protected_zip,
    "truncated.csv.zip": zipped({"a.csv": b"id\n" + b"1\n" * 5000})[:-40],
    "nested.csv.zip": zipped({"a.zip": zipped({"a.csv": b"id\n1\n"})}),
    "many_members.csv.zip": zipped({f"{n}.csv": b"id\n" for n in range(50)}),
    "bomb.csv.gz": lambda: gzip.compress(b"id\n" + b"0" * (64 << 20)),
    "truncated.csv.gz": gzip.compress(b"id\n" + b"".join(b"%d\n" % n for n in range(50_000)))[:-50],
    "damaged.csv.gz": gzip.compress(b"id\n")[:10] + b"\x07" * 100,
    "entities.xml": ENTITIES,
    "external_entity.xml": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><row><id>&x;</id></row></r>',
    "external_dtd.xml": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r><row><id>1</id></row></r>',
    "truncated.xml": b"<r><row><id>1</id></row><row><id>2</i",
    "broken.xml": b"<r><row><id>1</id></row><row><id>2</x></row></r>",
    "deep.xml": b"<r><row>" + b"<a>" * 300 + b"</a>" * 300 + b"</row></r>",
    "huge_text.xml": lambda: b"<r><row><id>" + b"x" * (20 << 20) + b"</id></row></r>",
    "login_page.csv": b"\xef\xbb\xbf  <!DOCTYPE HTML><html>",
    "login_page.json": b"<html>",
    "truncated.json": b'{"rows": [{"id": 1}, {"id": 2',
    "truncated_after_rows.json": b'{"rows": [{"id": 1}], "total": 1',
    "broken.json": b'{"rows": [{"id": 1}, {id: 2}]}',
    "no_rows.json": b'{"items": [], "total": 0}',
    "nesting_bomb.json": b'{"rows": [' + b"[" * 100_000,
    "nesting_bomb_beside.json": b'{"x": ' + b"[" * 100_000,
    "truncated.ndjson": b'{"id": 1}\n{"id": 2',
    "truncated_quote.csv": b'id,name\n1,a\n2,"b',
    "truncated_record.csv": b"id,name\n1,a\n2",
    "empty.csv": b"",
    "twice.csv": b"id,id\n1,2\n",
    "renamed.csv": b"ident,name\n1,2\n",
    "header_in_another_encoding.csv": "编号,名称\n1,a\n".encode("gb18030"),
}


def write(name: str, folder: Path) -> Path:
    """Write one of them."""
    content = ASSETS[name]
    path = folder / name
    path.write_bytes(content() if callable(content) else content)
    return path


if __name__ == "__main__":
    for each in ASSETS:
        sys.stdout.write(json.dumps(str(write(each, Path(sys.argv[1])))) + "\n")
