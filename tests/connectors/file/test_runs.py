from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import SourceUnavailable
from connectors.kinds.file import FileSource

from .reading import read_all, values


def write(path: Path, *ids: int) -> None:
    path.write_text("id\n" + "".join(f"{each}\n" for each in ids))


def source_of(folder: Path, **settings: Any) -> FileSource:
    return FileSource({"path": f"{folder}/*.csv", **settings}, None, ["id"])


def test_each_file_is_read_once_and_a_changed_one_again(tmp_path: Path) -> None:
    write(tmp_path / "2.csv", 2)
    write(tmp_path / "1.csv", 1)
    first, cursor = read_all(source_of(tmp_path))
    write(tmp_path / "3.csv", 3)
    write(tmp_path / "1.csv", 1, 11)
    second, cursor = read_all(source_of(tmp_path), cursor)
    third, _ = read_all(source_of(tmp_path), cursor)

    assert values(first) == [("1",), ("2",)]
    assert values(second) == [("1",), ("11",), ("3",)]
    assert third == []


def test_the_cursor_forgets_files_that_are_gone(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", 1)
    write(tmp_path / "2.csv", 2)
    _, cursor = read_all(source_of(tmp_path))
    (tmp_path / "1.csv").unlink()
    write(tmp_path / "3.csv", 3)
    _, cursor = read_all(source_of(tmp_path), cursor)

    assert cursor is not None
    assert [Path(path).name for path in cursor["files"]] == ["2.csv", "3.csv"]


def test_only_files_with_their_marker_are_complete(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", 1)
    write(tmp_path / "2.csv", 2)
    (tmp_path / "1.csv.ok").touch()
    settings = {"complete": {"marker": "{name}.ok"}}
    first, cursor = read_all(source_of(tmp_path, **settings))
    (tmp_path / "2.csv.ok").touch()
    second, _ = read_all(source_of(tmp_path, **settings), cursor)

    assert (values(first), values(second)) == ([("1",)], [("2",)])


def test_only_files_that_have_rested_are_complete(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", 1)
    write(tmp_path / "2.csv", 2)
    os.utime(tmp_path / "1.csv", (time.time() - 100, time.time() - 100))

    found, _ = read_all(source_of(tmp_path, complete={"older_than": "60s"}))

    assert values(found) == [("1",)]


def test_only_the_latest_file_is_read_if_so_wished(tmp_path: Path) -> None:
    write(tmp_path / "20261119.csv", 1)
    write(tmp_path / "20261120.csv", 2)
    first, cursor = read_all(source_of(tmp_path, latest=True))
    write(tmp_path / "20261121.csv", 3)
    second, cursor = read_all(source_of(tmp_path, latest=True), cursor)

    assert (values(first), values(second)) == ([("2",)], [("3",)])
    assert cursor is not None
    assert [Path(path).name for path in cursor["files"]] == ["20261121.csv"]


def test_files_that_belong_together_are_all_read_when_one_is_new(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", 1)
    _, cursor = read_all(source_of(tmp_path, together=True))
    write(tmp_path / "2.csv", 2)
    second, cursor = read_all(source_of(tmp_path, together=True), cursor)
    third, _ = read_all(source_of(tmp_path, together=True), cursor)

    assert (values(second), third) == ([("1",), ("2",)], [])


def test_a_file_that_changes_while_it_is_read_reaches_nothing(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", *range(5000))
    source = source_of(tmp_path)
    (partition,) = source.partitions(None)
    batches = source.read(partition, None)
    first = next(batches)
    write(tmp_path / "1.csv", *range(5001))

    with pytest.raises(SourceUnavailable, match="has changed while it was read"):
        list(batches)
    assert first.reached is None


def test_check_and_discovery_say_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", 123456)
    source = source_of(tmp_path)

    (table,) = source.discover()

    assert "1 file(s) match, 1 of them complete; the last one is 1.csv" in source.check()
    assert [(f.name, f.type, f.samples) for f in table.fields] == [("id", "text", ("1*****",))]
