"""Old entries in files: still provable, still checked, and put back where they are wanted."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.audit import archive, check, checkpoints, log, notes, proofs, reading
from registry.audit.archive import Archived, ArchiveRefused
from registry.audit.checkpoints import LogAltered
from registry.domain.audit import export, merkle
from registry.storage.database import connect
from tests.audit.log import BEGAN, CODES, KEY, an_entry, fill, signed

LATER = BEGAN + timedelta(days=500)


@pytest.fixture
def connection(registry_url: str) -> Iterator[psycopg.Connection]:
    with connect(registry_url) as found:
        yield found


def written(connection: psycopg.Connection, folder: Path) -> Archived:
    found = archive.write(connection, folder, [KEY], before=LATER, now=LATER)
    assert found is not None
    return found


def indexes(connection: psycopg.Connection) -> list[int]:
    return [row.index for row in reading.between(connection, 0, 1 << 30)]


def test_what_was_signed_is_moved_into_a_file_and_what_came_later_stays(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    for size in (300, 700, 800):
        fill(connection, size)
        signed(connection)
    fill(connection, 900)

    found = written(connection, tmp_path)

    assert (found.first, found.until) == (0, 700), "the tile of entry 799 is not complete yet"
    assert indexes(connection) == list(range(700, 900))
    assert found.keep_until >= found.newest_at + timedelta(days=5 * 365)
    file = tmp_path / found.file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [row.entry for row in archive.rows(file)] == [an_entry(number) for number in range(700)]
    assert archive.write(connection, tmp_path, [KEY], before=LATER, now=LATER) is None


def test_a_third_party_verifies_an_archive_by_the_checkpoint_beside_it(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, 512)
    signed(connection)
    first = written(connection, tmp_path)
    fill(connection, 1024)
    signed(connection)
    second = written(connection, tmp_path)
    held = [
        notes.opened((tmp_path / f"{each.file.removesuffix('.ndjson.gz')}.note").read_text("utf-8"), [KEY])
        for each in (first, second)
    ]

    for each in (first, second):
        found = export.check(archive.lines(tmp_path / each.file), held)
        assert (found.first, found.end, found.findings) == (each.first, each.until, ())
        assert found.proven == each.until - each.first


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 400), min_size=2, max_size=5))
def test_every_entry_is_proven_as_before_whatever_is_archived(
    connection: psycopg.Connection, tmp_path: Path, steps: list[int]
) -> None:
    for step in steps:
        fill(connection, log.head(connection).size + step)
        signed(connection)
        archive.write(connection, tmp_path, [KEY], before=LATER, now=LATER)
    last = checkpoints.latest(connection)
    assert last is not None

    for index in range(0, last.size, 37):
        proof = proofs.inclusion(connection, index, last.size)
        assert merkle.includes(proof.leaf, index, last.size, proof.path, last.root)
        holder = archive.holding(connection, index)
        assert (holder is None) == (index >= archive.boundary(connection))
    files = [tmp_path / each.file for each in archive.every(connection) if each.restored_at is None]
    for given_files in ([], files):
        report = check.check(connection, [KEY], files=given_files)
        assert (report.findings, report.size) == ((), last.size)
        assert report.archived == archive.boundary(connection)


def test_an_archive_is_put_back_and_nothing_shows_that_it_was_away(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    before = reading.between(connection, 0, 1000)
    found = written(connection, tmp_path)

    archive.restore(connection, tmp_path / found.file, now=LATER)

    assert reading.between(connection, 0, 1000) == before
    report = check.check(connection, [KEY])
    assert (report.archived, report.findings) == (0, ())
    assert written(connection, tmp_path).until == 600


def test_whole_partitions_are_dropped(
    connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With partitions of 512 entries instead of 2**24."""
    monkeypatch.setattr(archive, "STRETCH_LEVEL", 9)
    for number in range(2):
        connection.execute(f"DROP TABLE registry.access_log_{number}".encode())
    function = connection.execute("SELECT pg_get_functiondef('registry.ensure_access_log_stretch'::regproc)").fetchone()
    assert function
    connection.execute(function[0].replace("24", "9").encode())
    connection.execute("SELECT registry.ensure_access_log_stretch(n) FROM generate_series(0, 3) AS n")
    fill(connection, 1300)
    signed(connection)
    fill(connection, 1600)
    before = reading.between(connection, 0, 2000)

    found = written(connection, tmp_path)

    assert indexes(connection) == list(range(1300, 1600))
    gone = connection.execute("SELECT to_regclass('registry.access_log_' || n) IS NULL FROM generate_series(0, 3) n")
    assert [each for (each,) in gone] == [True, True, False, False]
    archive.restore(connection, tmp_path / found.file, now=LATER)
    assert reading.between(connection, 0, 2000) == before


def test_entries_that_are_not_those_that_were_signed_are_not_archived(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE registry.access_log SET client = 'nobody' WHERE index = 77")

    with pytest.raises(LogAltered):
        written(connection, tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert indexes(connection) == list(range(800))


def test_a_checkpoint_that_the_hub_did_not_sign_ends_no_archive(connection: psycopg.Connection, tmp_path: Path) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE registry.access_log_checkpoint SET note = replace(note, '600', '601')")

    with pytest.raises(LogAltered):
        written(connection, tmp_path)


def test_an_altered_file_is_not_put_back_and_is_found_by_a_check(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    file = tmp_path / written(connection, tmp_path).file
    text = gzip.decompress(file.read_bytes())
    entry = next(line for line in text.splitlines() if b'"index":300,' in line)
    file.write_bytes(gzip.compress(text.replace(entry, entry.replace(b'"status":', b'"status":1'))))

    with pytest.raises(ArchiveRefused):
        archive.restore(connection, file, now=LATER)
    assert check.check(connection, [KEY]).findings == (), "its content was not looked at"
    found = check.check(connection, [KEY], files=[file]).findings
    assert [(each.kind, each.first, each.last) for each in found] == [("changed", 300, 300)]


def test_rows_leave_the_table_only_when_they_stand_in_an_archive(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    written(connection, tmp_path)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute("DELETE FROM registry.access_log WHERE index = 600")


def test_removed_hashes_of_archived_entries_are_found(connection: psycopg.Connection, tmp_path: Path) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    written(connection, tmp_path)
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE registry.access_log_tile SET hashes = overlay(hashes placing 'x' from 5) WHERE tile = 1"
        )

    found = check.check(connection, [KEY]).findings
    assert found
    assert all(each.first <= 511 and each.last >= 256 for each in found)


def test_who_read_an_enterprise_is_told_by_archives_too(connection: psycopg.Connection, tmp_path: Path) -> None:
    fill(connection, 600)
    signed(connection)
    fill(connection, 800)
    before = [row.index for row in reading.about(connection, CODES[0], before=600, limit=1000)]
    file = tmp_path / written(connection, tmp_path).file

    assert [row.index for row in archive.about([file], CODES[0])] == before[::-1]


def test_the_term_is_five_years_at_least(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE registry.access_log_term SET keep_years = 4")


def test_a_check_goes_on_from_where_the_last_one_ended(connection: psycopg.Connection) -> None:
    fill(connection, 700)
    signed(connection)
    fill(connection, 1000)
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE registry.access_log SET client = 'x' WHERE index IN (10, 800)")

    report = check.check(connection, [KEY], since=600)

    assert (report.first, report.size) == (512, 1000)
    assert [(each.kind, each.first) for each in report.findings] == [("changed", 800)]
