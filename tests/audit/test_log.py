"""Appending to the log, proving from it and signing it, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.audit import check, checkpoints, log, notes, proofs, reading
from registry.audit.checkpoints import LogAltered
from registry.audit.notes import LogKey, LogKeyMalformed, NotSigned
from registry.audit.proofs import NotInLog
from registry.domain.audit import merkle
from registry.domain.audit.checkpoint import Checkpoint, CheckpointMalformed
from registry.domain.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from registry.signing import p256
from registry.signing.p256 import P256Signer
from registry.storage.database import connect
from tests.audit.log import CODES, DID, KEY, SIGNER, an_entry, fill, signed


@pytest.fixture
def connection(registry_url: str) -> Iterator[psycopg.Connection]:
    with connect(registry_url) as opened:
        yield opened


def test_entries_come_back_as_they_were_written(connection: psycopg.Connection) -> None:
    fill(connection, 300)

    found = reading.between(connection, 0, 300)

    assert [each.entry for each in found] == [an_entry(number) for number in range(300)]
    assert [each.leaf for each in found] == [leaf_hash(each.data) for each in found]


@pytest.mark.parametrize("batches", [(1,), (255, 1), (256,), (257,), (700,)])
def test_the_tree_is_the_same_however_the_entries_came(
    connection: psycopg.Connection, batches: tuple[int, ...]
) -> None:
    fill(connection, 700, batches=batches)
    leaves = [leaf_hash(each.data) for each in reading.between(connection, 0, 700)]

    assert log.head(connection) == Frontier().extended(leaves)[0]
    assert check.check(connection, [KEY]).findings == ()


def test_appending_nothing_changes_nothing(connection: psycopg.Connection) -> None:
    fill(connection, 3)

    assert log.append(connection, []) == 3
    assert log.head(connection).size == 3


def test_an_entry_that_cannot_be_said_leaves_no_trace_of_its_batch(connection: psycopg.Connection) -> None:
    fill(connection, 3)

    with pytest.raises(ValueError, match="cannot be said"):
        log.append(connection, [an_entry(3), replace(an_entry(4), purpose="\ud800")])

    assert log.head(connection).size == 3
    assert check.check(connection, [KEY]).findings == ()


def test_several_processes_at_once_leave_one_log_without_gap(registry_url: str) -> None:
    began = threading.Barrier(4)

    def work(number: int) -> None:
        with connect(registry_url) as connection:
            began.wait()
            for turn in range(20):
                log.append(connection, [replace(an_entry(turn), process=f"p{number}")] * (number + 1))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connect(registry_url) as connection:
        report = check.check(connection, [KEY])

    assert (report.size, report.findings) == (200, ())


def test_a_stretch_is_made_before_it_is_needed(connection: psycopg.Connection) -> None:
    end = (1 << 24) - 256
    connection.execute(
        "UPDATE registry.access_log_head SET size = %s, peaks = %s", (end, [bytes(32)] * end.bit_count())
    )

    log.append(connection, [an_entry(number) for number in range(256)])
    assert log.append(connection, [an_entry(256)]) == 1 << 24

    found = connection.execute(
        "SELECT tableoid::regclass::text, count(*) FROM registry.access_log GROUP BY 1 ORDER BY 1"
    )
    assert found.fetchall() == [("registry.access_log_0", 256), ("registry.access_log_1", 1)]
    assert connection.execute("SELECT to_regclass('registry.access_log_2')").fetchone() != (None,)


def test_rows_taken_from_a_tile_that_is_not_full_stop_nobody_and_are_told(connection: psycopg.Connection) -> None:
    fill(connection, 250)
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("DELETE FROM registry.access_log WHERE index = 200")
    fill(connection, 600)

    found = check.check(connection, [KEY]).findings
    assert [(each.kind, each.first, each.last) for each in found if each.kind == "missing"] == [("missing", 200, 200)]
    assert all(each.last < 256 for each in found)


@pytest.mark.parametrize("table", ["access_log", "access_log_tile", "access_log_node", "access_log_checkpoint"])
@pytest.mark.parametrize("act", ["DELETE FROM registry.{}", "TRUNCATE registry.{}"])
def test_the_database_refuses_to_rewrite_the_log(connection: psycopg.Connection, table: str, act: str) -> None:
    fill(connection, 300)
    signed(connection)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute(act.format(table).encode())


# -- proofs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700])
def test_every_entry_is_proven_to_stand_in_the_log(connection: psycopg.Connection, size: int) -> None:
    fill(connection, 700)
    root = proofs.frontier(connection, size).root
    entries = {each.index: each for each in reading.between(connection, 0, size)}

    for index in {0, size // 3, size // 2, size - 1}:
        found = proofs.inclusion(connection, index, size)
        assert found.root == root
        assert merkle.includes(leaf_hash(entries[index].data), index, size, found.path, root)


@pytest.mark.parametrize(("old", "new"), [(0, 700), (1, 2), (255, 256), (256, 700), (300, 301), (512, 513), (700, 700)])
def test_a_later_log_is_proven_to_begin_with_an_earlier_one(connection: psycopg.Connection, old: int, new: int) -> None:
    fill(connection, 700)
    roots = [proofs.frontier(connection, size).root for size in (old, new)]

    found = proofs.consistency(connection, old, new)

    assert [found.old_root, found.new_root] == roots
    assert merkle.consistent(old, roots[0], new, roots[1], found.path)


def test_what_the_log_does_not_have_is_not_proven(connection: psycopg.Connection) -> None:
    fill(connection, 5)

    for ask in (
        lambda: proofs.inclusion(connection, 5),
        lambda: proofs.inclusion(connection, -1),
        lambda: proofs.inclusion(connection, 3, 3),
        lambda: proofs.inclusion(connection, 3, 6),
        lambda: proofs.consistency(connection, 5, 4),
        lambda: proofs.consistency(connection, 1, 6),
        lambda: proofs.frontier(connection, 6),
    ):
        with pytest.raises(NotInLog):
            ask()


def test_a_proof_reads_a_few_rows_however_long_the_log_is(connection: psycopg.Connection) -> None:
    fill(connection, 3000, batches=(1000,))
    nodes = merkle.cover(merkle.Range(0, 3000))

    assert len(proofs.inclusion(connection, 1234).path) == 12
    assert len(nodes) == log.head(connection).size.bit_count()
    assert connection.execute("SELECT count(*) FROM registry.access_log_node").fetchone() == (11 + 5 + 2 + 1,)


# -- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_signed_for_whoever_has_the_key(connection: psycopg.Connection) -> None:
    fill(connection, 300)
    made = signed(connection)

    opened = notes.opened(made.note, [KEY])
    assert opened == Checkpoint("hub.example.cn/access-log", 300, log.head(connection).root)
    assert checkpoints.latest(connection) == made
    assert notes.opened(made.note, [notes.key_from_text(KEY.text)]) == opened


def test_the_same_log_is_signed_once(connection: psycopg.Connection) -> None:
    assert signed(connection).root == EMPTY_ROOT
    fill(connection, 3)

    assert signed(connection) == signed(connection)
    assert [kept.size for kept in checkpoints.every(connection)] == [0, 3]


def test_nothing_is_signed_that_contradicts_what_was_signed_before(connection: psycopg.Connection) -> None:
    fill(connection, 20)
    signed(connection)
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE registry.access_log SET leaf_hash = %s WHERE index = 5", (bytes(32),))
    fill(connection, 30)

    with pytest.raises(LogAltered, match="20"):
        signed(connection)


def test_nothing_is_signed_when_the_log_has_become_shorter(connection: psycopg.Connection) -> None:
    fill(connection, 20)
    short = log.head(connection)
    fill(connection, 30)
    signed(connection)
    connection.execute("UPDATE registry.access_log_head SET size = %s, peaks = %s", (20, list(short.peaks)))

    with pytest.raises(LogAltered, match="30"):
        signed(connection)


OTHER = P256Signer(p256.new_key(), f"{DID}#other")


def test_a_signature_of_another_key_opens_nothing() -> None:
    checkpoint = Checkpoint(KEY.origin, 3, bytes(32))

    with pytest.raises(NotSigned, match="no known key"):
        notes.opened(notes.sign(checkpoint, OTHER), [KEY])
    with pytest.raises(NotSigned, match="no known key"):
        notes.opened(notes.sign(checkpoint, SIGNER), [LogKey("elsewhere/access-log", KEY.public_key)])


@pytest.mark.parametrize(("old", "new"), [("\n3\n", "\n4\n"), ("AAAA=\n\n", "AAAA=\nmore\n\n")])
def test_a_checkpoint_that_was_changed_is_refused(old: str, new: str) -> None:
    note = notes.sign(Checkpoint(KEY.origin, 3, bytes(32)), SIGNER)

    with pytest.raises((NotSigned, CheckpointMalformed)):
        notes.opened(note.replace(old, new), [KEY])


def test_a_note_with_further_signatures_is_still_opened() -> None:
    checkpoint = Checkpoint(KEY.origin, 3, bytes(32))
    both = notes.sign(checkpoint, OTHER) + notes.sign(checkpoint, SIGNER).rpartition("\n\n")[2]

    assert notes.opened(both, [KEY]) == checkpoint


def test_a_key_is_handed_out_as_one_line_or_as_pem() -> None:
    pem = KEY.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert notes.key_from_text(KEY.text + "\n").text == KEY.text
    assert notes.key_from_pem(pem, KEY.origin).text == KEY.text


@pytest.mark.parametrize("text", ["", "a+b", "a+b+c", KEY.text[:-4], KEY.text.replace(KEY.id.hex(), "00000000")])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(LogKeyMalformed):
        notes.key_from_text(text)


@pytest.mark.parametrize(
    ("did", "name"),
    [
        ("did:web:hub.example.cn", "hub.example.cn/access-log"),
        ("did:web:127.0.0.1%3A8000", "127.0.0.1:8000/access-log"),
        ("did:web:example.cn:hub", "example.cn/hub/access-log"),
    ],
)
def test_the_log_is_named_after_its_hub(did: str, name: str) -> None:
    assert notes.origin(did) == name


# -- who read my data -------------------------------------------------------------------------------------------------


def test_an_enterprise_sees_every_access_to_its_data(connection: psycopg.Connection) -> None:
    fill(connection, 300)
    mine = [number for number in range(300) if CODES[0] in _about(number)]

    found: list[int] = []
    before = None
    while page := reading.about(connection, CODES[0], before=before, limit=20):
        found += [each.index for each in page]
        before = found[-1]

    assert found == mine[::-1]


def test_entries_of_a_client_are_found(connection: psycopg.Connection) -> None:
    fill(connection, 100)
    wanted = [number for number in range(100) if an_entry(number).client == "client-1"]

    found = reading.newest(connection, client="client-1", before=None, limit=1000)

    assert [each.index for each in found] == wanted[::-1]
    assert len(reading.newest(connection, before=50, limit=1000)) == 50


def _about(number: int) -> tuple[Any, ...]:
    entry = an_entry(number)
    return (*(entry.entities or ()), entry.entity)
