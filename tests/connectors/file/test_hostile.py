"""Files that are broken or hostile: each a clear error or a refused row, nothing reached, memory flat."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorError, SourceColumnsChanged, SourceMisconfigured, SourceUnavailable
from connectors.kinds.file import FileSource

from .assets.make_assets import ASSETS, big_field, write
from .reading import read_all, refusals, values

UNAVAILABLE, WRONG = SourceUnavailable, SourceMisconfigured
MEANT: dict[str, tuple[type[ConnectorError], str]] = {
    "truncated.xlsx": (WRONG, "cut short or damaged"),
    "damaged.xlsx": (WRONG, "damaged"),
    "sheet_cut_short.xlsx": (WRONG, "cut short or damaged"),
    "no_workbook.xlsx": (WRONG, "is a zip archive, but no XLSX workbook"),
    "login_page.xlsx": (WRONG, "is a web page (HTML) instead of XLSX"),
    "old_kind.xlsx": (WRONG, "is an Excel file of the old kind"),
    "bomb.xlsx": (WRONG, "is it a zip bomb?"),
    "entities.xlsx": (WRONG, "sheet1.xml: declares a document type"),
    "rows_without_end.xlsx": (WRONG, "empty rows one after the other"),
    "bomb.csv.zip": (WRONG, "is it a zip bomb?"),
    "lying.csv.zip": (WRONG, "the compressed data is damaged"),
    "protected.csv.zip": (WRONG, "protected by a password"),
    "truncated.csv.zip": (UNAVAILABLE, "cut short or damaged"),
    "nested.csv.zip": (WRONG, "is an archive inside an archive"),
    "many_members.csv.zip": (WRONG, "holds 50 files, expected at most 20"),
    "bomb.csv.gz": (WRONG, "is it a zip bomb?"),
    "truncated.csv.gz": (UNAVAILABLE, "ends too soon"),
    "damaged.csv.gz": (WRONG, "the compressed data is damaged"),
    "entities.xml": (WRONG, "declares a document type"),
    "external_entity.xml": (WRONG, "declares a document type"),
    "external_dtd.xml": (WRONG, "declares a document type"),
    "truncated.xml": (UNAVAILABLE, "ends in the middle of the XML document"),
    "broken.xml": (WRONG, "is no valid XML"),
    "deep.xml": (WRONG, "is no valid XML"),
    "huge_text.xml": (WRONG, "is no valid XML"),
    "login_page.csv": (WRONG, "is a web page (HTML) instead of CSV"),
    "login_page.json": (WRONG, "is a web page (HTML) instead of JSON"),
    "truncated.json": (UNAVAILABLE, "ends in the middle of the JSON document"),
    "truncated_after_rows.json": (UNAVAILABLE, "ends in the middle of the JSON document"),
    "broken.json": (WRONG, "is no valid JSON"),
    "no_rows.json": (WRONG, "nothing at rows (setting row_path); there are items, total"),
    "nesting_bomb.json": (WRONG, "nested deeper than 64 levels"),
    "nesting_bomb_beside.json": (WRONG, "nested deeper than 64 levels"),
    "truncated.ndjson": (UNAVAILABLE, "ends in the middle of a line"),
    "truncated_quote.csv": (UNAVAILABLE, "ends in the middle of a record"),
    "truncated_record.csv": (UNAVAILABLE, "ends in the middle of a record"),
    "empty.csv": (WRONG, "is empty, expected at least a header"),
    "twice.csv": (WRONG, "the column id stands twice in the header"),
    "renamed.csv": (SourceColumnsChanged, "column(s) id missing; the source has ident, name"),
    "header_in_another_encoding.csv": (WRONG, "the header is no text in utf-8"),
}
SETTINGS: dict[str, dict[str, Any]] = {".json": {"row_path": "rows"}, ".xml": {"row_path": "row"}}


def test_every_asset_is_tried() -> None:
    assert set(ASSETS) == set(MEANT)


@pytest.mark.parametrize("name", ASSETS)
def test_a_hostile_file_is_named_with_its_flaw(tmp_path: Path, name: str) -> None:
    path = write(name, tmp_path)
    kind, said = MEANT[name]
    settings = {"path": str(path), "max_members": 20, **SETTINGS.get(path.suffix, {})}

    with pytest.raises(ConnectorError) as caught:
        read_all(FileSource(settings, None, ["id"]))

    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_record_cut_short_is_refused_when_the_department_says_the_file_is_complete(tmp_path: Path) -> None:
    path = write("truncated_quote.csv", tmp_path)
    (tmp_path / "done").touch()

    batches, _ = read_all(FileSource({"path": str(path), "complete": {"marker": "done"}}, None, ["id"]))

    assert values(batches) == [("1",)]
    assert refusals(batches) == [("3", "source.syntax")]


def test_a_field_of_a_hundred_megabytes_is_refused_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("wb") as out:
        out.writelines(big_field())
    tracemalloc.start()

    batches, _ = read_all(FileSource({"path": str(path), "max_record": "1MiB"}, None, ["id", "name"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert values(batches) == [("1", "ok"), ("3", "ok")]
    assert refusals(batches) == [("3", "source.size")]
    assert peak < 30_000_000


def test_values_that_cannot_be_stored_are_refused_one_by_one_in_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(
        b'[{"id": 1}, {"id": NaN}, {"id": "\\ud800"}, {"id": "\\u0000"}, {"id": "\xff"}, 6,'
        b' {"id": -Infinity}, {"id": "\\ud83d\\ude00"}]'
    )

    batches, _ = read_all(FileSource({"path": str(path)}, None, ["id"]))

    assert values(batches) == [(1,), ("😀",)]
    assert refusals(batches) == [
        ("2", "source.number"),
        ("3", "source.surrogate"),
        ("4", "source.nul"),
        ("5", "source.encoding"),
        ("6", "source.object"),
        ("7", "source.number"),
    ]
    assert json.dumps([each.raw for batch in batches for each in batch.refused], allow_nan=False).encode()


def test_bytes_that_are_no_gb18030_spoil_one_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("编号,名称\n1,数桥\n2,".encode("gb18030") + b"\x81\xff" + "\n3,桥\n".encode("gb18030"))

    batches, _ = read_all(FileSource({"path": str(path), "encoding": "gb18030"}, None, ["名称"]))

    assert values(batches) == [("数桥",), ("桥",)]
    assert refusals(batches) == [("3", "source.encoding")]


@pytest.mark.parametrize(("suffix", "line"), [(".csv", "%d,数桥\n"), (".ndjson", '{"id": %d, "name": "数桥"}\n')])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str, line: str) -> None:
    peaks = []
    for count in (8_000, 40_000):
        path = tmp_path / f"{count}{suffix}"
        with path.open("w", encoding="utf-8") as out:
            out.write("id,name\n" if suffix == ".csv" else "")
            out.writelines(line % number for number in range(count))
        source = FileSource({"path": str(path)}, None, ["id", "name"])
        (partition,) = source.partitions(None)
        tracemalloc.start()
        assert sum(len(batch.rows) for batch in source.read(partition, None)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] * 1.2


def test_memory_does_not_grow_with_an_xml_document_or_a_json_array(tmp_path: Path) -> None:
    for suffix, head, row, tail in (
        (".xml", "<r>", "<row><id>%d</id></row><other><x>%d</x></other>", "</r>"),
        (".json", '{"rows": [{"id": -1}', ', {"id": %d, "n": %d}', "]}"),
    ):
        peaks = []
        for count in (6_000, 24_000):
            path = tmp_path / f"{count}{suffix}"
            path.write_text(head + "".join(row % (number, number) for number in range(count)) + tail)
            source = FileSource({"path": str(path), **SETTINGS[suffix]}, None, ["id"])
            (partition,) = source.partitions(None)
            tracemalloc.start()
            assert sum(len(batch.rows) for batch in source.read(partition, None)) >= count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] * 1.2
