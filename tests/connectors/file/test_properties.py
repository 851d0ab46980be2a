"""Whatever the dialect and the encoding: what was written is what is read; no file is missed, none is read twice."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.kinds.file import FileSource

from .reading import read_all, values

ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-32"])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), max_size=12)
TRICKY = st.text(st.sampled_from("\"';,\t|\n\r\\ a数𠮷"), max_size=8)
FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    delimiter = draw(st.sampled_from(",;|\t"))
    quote = draw(st.sampled_from("\"'"))
    double = draw(st.booleans())
    return {"delimiter": delimiter, "quote": quote, "double_quote": double, "escape": None if double else "\\"}


@FAST
@given(
    rows=st.lists(st.tuples(TEXT | TRICKY, TEXT | TRICKY, TEXT | TRICKY), max_size=12),
    dialect=dialects(),
    encoding=ENCODINGS,
    line_end=st.sampled_from(["\r\n", "\n"]),
)
def test_csv_reads_back_equal(
    rows: list[tuple[str, str, str]], dialect: dict[str, Any], encoding: str, line_end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=dialect["delimiter"],
        quotechar=dialect["quote"],
        doublequote=dialect["double_quote"],
        escapechar=dialect["escape"],
        lineterminator=line_end,
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow(("一", "b", "c"))
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(text.getvalue().encode(encoding))

        batches, _ = read_all(
            FileSource({"path": str(path), "encoding": encoding, "csv": dialect}, None, ["c", "一", "b"])
        )

    assert values(batches) == [(third, first, second) for first, second, third in rows]
    assert not [each for batch in batches for each in batch.refused]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@FAST
@given(rows=st.lists(st.fixed_dictionaries({"id": JSON, "名": JSON}), max_size=12), ascii_only=st.booleans())
def test_ndjson_and_json_read_back_equal(rows: list[dict[str, Any]], ascii_only: bool) -> None:  # noqa: FBT001
    with tempfile.TemporaryDirectory() as folder:
        lines, array = Path(folder, "a.ndjson"), Path(folder, "a.json")
        lines.write_text("".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows), encoding="utf-8")
        array.write_text(json.dumps({"x": rows, "rows": rows}, ensure_ascii=ascii_only), encoding="utf-8")

        found = values(read_all(FileSource({"path": str(lines)}, None, ["id", "名"]))[0])
        streamed = values(read_all(FileSource({"path": str(array), "row_path": "rows"}, None, ["id", "名"]))[0])

    assert found == streamed == [(row["id"], row["名"]) for row in rows]


@settings(max_examples=40, deadline=None)
@given(
    runs=st.lists(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["write", "delete"])), max_size=4), max_size=6)
)
def test_over_several_runs_no_file_is_missed_and_none_is_read_twice(runs: list[list[tuple[int, str]]]) -> None:
    cursor, version = None, 0
    with tempfile.TemporaryDirectory() as folder:
        for run in runs:
            expected: dict[str, str] = {}
            for number, deed in run:
                path = Path(folder, f"{number}.csv")
                if deed == "write":
                    version += 1
                    path.write_text(f"id\n{'x' * version}\n")
                    expected[path.name] = "x" * version
                elif path.exists():
                    path.unlink()
                    expected.pop(path.name, None)

            batches, cursor = read_all(FileSource({"path": f"{folder}/*.csv"}, None, ["id"]), cursor)

            assert values(batches) == [(expected[name],) for name in sorted(expected)]
            present = {each.name for each in Path(folder).iterdir()}
            if batches:
                assert cursor is not None
                assert {Path(each).name for each in cursor["files"]} == present
