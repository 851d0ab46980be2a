from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.kinds.file import FileSource

from .reading import read_all, refusals, values


def source_of(path: Path, columns: list[str], **settings: Any) -> FileSource:
    return FileSource({"path": str(path), **settings}, None, columns)


def test_csv_in_gb18030_with_quoted_newlines(tmp_path: Path) -> None:
    path = tmp_path / "permits.csv"
    path.write_bytes('编号,名称,备注\r\n1,"数桥""餐饮""店","一\n二"\r\n2,𠮷野家,\r\n'.encode("gb18030"))

    batches, _ = read_all(source_of(path, ["名称", "备注", "编号"], encoding="gb18030"))

    assert values(batches) == [('数桥"餐饮"店', "一\n二", "1"), ("𠮷野家", "", "2")]
    assert [batches[0].place(0), batches[0].place(1)] == [f"{path}:2", f"{path}:4"]


def test_csv_with_a_byte_order_mark_and_another_dialect(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("﻿'id';'name'\n1;'x;y'\n", encoding="utf-8")

    batches, _ = read_all(source_of(path, ["id", "name"], csv={"delimiter": ";", "quote": "'"}))

    assert values(batches) == [("1", "x;y")]


def test_csv_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("# comment\n1,a\n2,b\n")

    batches, _ = read_all(source_of(path, ["name"], csv={"header": False, "columns": ["id", "name"], "skip_lines": 1}))

    assert values(batches) == [("a",), ("b",)]


def test_bad_csv_records_are_refused_with_their_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,name\n1,ok\n2\n3,\xff\xfe\n4,a\x00b\n5,"open\n6,x\n7,"a"b\n8,ok\n9,a,b\n10,ok\n')

    batches, _ = read_all(source_of(path, ["id", "name"]))

    assert values(batches) == [("1", "ok"), ("6", "x"), ("8", "ok"), ("10", "ok")]
    assert refusals(batches) == [
        ("3", "source.columns"),
        ("4", "source.encoding"),
        ("5", "source.nul"),
        ("6", "source.syntax"),
        ("8", "source.syntax"),
        ("10", "source.columns"),
    ]


def test_xlsx_gives_typed_values_and_skips_empty_rows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["填报日期 2026-11-20"])
    sheet.append(["编号", "日期", "金额", None])
    sheet.append([1, dt.datetime(2026, 11, 20), 12.5])  # noqa: DTZ001
    sheet.append([])
    sheet.append(["2", None, True])
    path = tmp_path / "a.xlsx"
    book.save(path)

    batches, _ = read_all(source_of(path, ["编号", "日期", "金额"], header_row=2))

    assert values(batches) == [(1, dt.datetime(2026, 11, 20), 12.5), ("2", None, True)]  # noqa: DTZ001
    assert batches[0].place(1) == f"{path}:5"


@pytest.mark.parametrize("row_path", ["data.items", None])
def test_json_rows_stream_from_their_path(tmp_path: Path, row_path: str | None) -> None:
    rows = [{"id": number, "holder": {"code": f"企{number}"}, "text": "x" * 100} for number in range(5000)]
    document: Any = (
        {"skip": [[{"a": "]"}], 1.5, None], "data": {"n": 1, "items": rows}, "end": {}} if row_path else rows
    )
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, ensure_ascii=False))

    batches, _ = read_all(source_of(path, ["holder.code", "id"], **({"row_path": row_path} if row_path else {})))

    assert values(batches) == [(f"企{number}", number) for number in range(5000)]
    assert len(batches) == 3


def test_xml_elements_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<?xml version="1.0"?><r xmlns="urn:x"><head><permit>no</permit></head><list>'
        '<permit no="1"><name> 甲 </name><holder><code>C1</code></holder></permit>'
        '<permit no="2"><name/><holder><code>C2</code></holder><tag>a</tag><tag>b</tag></permit></list></r>'
    )

    batches, _ = read_all(source_of(path, ["@no", "name", "holder.code", "tag"], row_path="list/permit"))

    assert values(batches) == [("1", "甲", "C1", None), ("2", None, "C2", ["a", "b"])]


def test_members_of_a_zip_and_gzip_are_read_like_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/2.csv", "id\n2\n")
        archive.writestr("b/1.csv", "id\n1\n")
        archive.writestr("readme.md", "no")
    (tmp_path / "c.ndjson.gz").write_bytes(gzip.compress(b'{"id": 3}\n'))

    zipped, _ = read_all(source_of(tmp_path / "a.zip", ["id"], members="*.csv"))
    packed, _ = read_all(source_of(tmp_path / "c.ndjson.gz", ["id"]))

    assert values(zipped) == [("1",), ("2",)]
    assert [batch.where for batch in zipped] == [f"{tmp_path}/a.zip!b/1.csv", f"{tmp_path}/a.zip!b/2.csv"]
    assert values(packed) == [(3,)]
