"""A thousand random alterations of the log in the database, by whoever may write to it: each is found and located."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from registry.audit import check, checkpoints, log, notes, reading
from registry.audit.check import Report
from registry.domain.audit.checkpoint import Checkpoint
from registry.domain.audit.merkle import Frontier, leaf_hash
from registry.storage.database import connect
from tests.audit.log import KEY, an_entry, fill, signed

SIZE = 700
CHECKPOINTS = (0, 100, 256, 600, SIZE)
PER_SEED = 50

COLUMNS: dict[str, Callable[[random.Random], Any]] = {
    "at": lambda _: "2026-05-05T00:00:00Z",
    "action": lambda _: "GET /api/v1/other",
    "status": lambda _: 299,
    "client": lambda _: "client-9",
    "dataset": lambda _: "tax_registration",
    "entity": lambda draw: draw.choice(["91330203MA2CH1XY5X", ""]),
    "entities": lambda draw: draw.choice([["a"], []]),
    "fields": lambda draw: draw.choice([["name"], []]),
    "purpose": lambda _: "另一用途",
    "case_number": lambda _: "无",
    "request_digest": lambda draw: draw.randbytes(32),
    "trace_id": lambda _: "another",
    "process": lambda _: "process-9",
    "leaf_hash": lambda draw: draw.randbytes(32),
}


@dataclass(frozen=True)
class Done:
    """What an alteration touched: a finding must reach into it."""

    first: int
    last: int


Alteration = Callable[[psycopg.Connection, random.Random], Done]


def changed(connection: psycopg.Connection, draw: random.Random) -> Done:
    """One value of one row."""
    index, name = draw.randrange(SIZE), draw.choice(sorted(COLUMNS))
    value = COLUMNS[name](draw)
    connection.execute(f"UPDATE registry.access_log SET {name} = %s WHERE index = %s".encode(), (value, index))
    return Done(index, index)


def changed_with_its_hash(connection: psycopg.Connection, draw: random.Random) -> Done:
    index = draw.randrange(SIZE)
    connection.execute("UPDATE registry.access_log SET purpose = 'x' WHERE index = %s", (index,))
    [row] = reading.between(connection, index, index + 1)
    leaf = leaf_hash(row.data)
    connection.execute("UPDATE registry.access_log SET leaf_hash = %s WHERE index = %s", (leaf, index))
    return Done(index - index % 256, index)


def removed(connection: psycopg.Connection, draw: random.Random) -> Done:
    index, count = draw.randrange(SIZE), draw.randint(1, 5)
    connection.execute("DELETE FROM registry.access_log WHERE index >= %s AND index < %s", (index, index + count))
    return Done(index, index)


def removed_and_closed_up(connection: psycopg.Connection, draw: random.Random) -> Done:
    index = draw.randrange(SIZE)
    connection.execute("DELETE FROM registry.access_log WHERE index = %s", (index,))
    _shift(connection, index, -1)
    if draw.random() < 0.5:
        _set_head(connection, SIZE - 1)
    return Done(index, SIZE)


def removed_at_the_end(connection: psycopg.Connection, draw: random.Random) -> Done:
    size = SIZE - draw.randint(1, 300)
    connection.execute("DELETE FROM registry.access_log WHERE index >= %s", (size,))
    if draw.random() < 0.5:
        _set_head(connection, size)
    return Done(size, SIZE)


def inserted(connection: psycopg.Connection, draw: random.Random) -> Done:
    index = draw.randrange(SIZE)
    _shift(connection, index, 1)
    _copy_row(connection, index - 1 if index else 1, index)
    if draw.random() < 0.5:
        _set_head(connection, SIZE + 1)
    return Done(index, SIZE)


def added_at_the_end(connection: psycopg.Connection, draw: random.Random) -> Done:
    index = SIZE + draw.randint(0, 3)
    _copy_row(connection, draw.randrange(SIZE), index)
    return Done(index, index)


def exchanged(connection: psycopg.Connection, draw: random.Random) -> Done:
    one, other = sorted(draw.sample(range(SIZE), 2))
    _renumber(connection, {one: other, other: one})
    return Done(one, one)


def reversed_stretch(connection: psycopg.Connection, draw: random.Random) -> Done:
    start = draw.randrange(SIZE - 10)
    _renumber(connection, {start + step: start + 9 - step for step in range(10)})
    return Done(start, start)


def tile_altered(connection: psycopg.Connection, draw: random.Random) -> Done:
    tile, place = draw.randrange(SIZE // 256), draw.randrange(8192)
    connection.execute(
        "UPDATE registry.access_log_tile SET hashes = set_byte(hashes, %(at)s, get_byte(hashes, %(at)s) # 1)"
        " WHERE tile = %(tile)s",
        {"at": place, "tile": tile},
    )
    return Done(tile * 256, tile * 256 + 255)


def tile_removed(connection: psycopg.Connection, draw: random.Random) -> Done:
    tile = draw.randrange(SIZE // 256)
    connection.execute("DELETE FROM registry.access_log_tile WHERE tile = %s", (tile,))
    return Done(tile * 256, tile * 256 + 255)


def node_altered(connection: psycopg.Connection, draw: random.Random) -> Done:
    level, number = _some_node(connection, draw)
    connection.execute(
        "UPDATE registry.access_log_node SET hash = %s WHERE level = %s AND number = %s",
        (draw.randbytes(32), level, number),
    )
    return Done(number << level, (number + 1 << level) - 1)


def node_removed(connection: psycopg.Connection, draw: random.Random) -> Done:
    level, number = _some_node(connection, draw)
    connection.execute("DELETE FROM registry.access_log_node WHERE level = %s AND number = %s", (level, number))
    return Done(number << level, (number + 1 << level) - 1)


def head_altered(connection: psycopg.Connection, draw: random.Random) -> Done:
    if draw.random() < 0.5:
        connection.execute("UPDATE registry.access_log_head SET size = %s", (draw.randrange(3 * SIZE),))
    else:
        connection.execute("UPDATE registry.access_log_head SET peaks[1] = %s", (draw.randbytes(32),))
    return Done(0, 3 * SIZE)


def checkpoint_altered(connection: psycopg.Connection, draw: random.Random) -> Done:
    size = draw.choice(CHECKPOINTS)
    change = draw.choice(
        ["root = sha256(root)", "note = replace(note, E'log\\n', E'log\\n9')", "note = 'x'", "size = size + 1"]
    )
    connection.execute(f"UPDATE registry.access_log_checkpoint SET {change} WHERE size = %s".encode(), (size,))
    return Done(0, SIZE + 1)


def whole_tree_made_anew(connection: psycopg.Connection, draw: random.Random) -> Done:
    """By somebody who knows how: a row changed or left out, and every hash after it computed again."""
    index = draw.randrange(SIZE)
    entries = [each.entry for each in reading.between(connection, 0, SIZE)]
    if draw.random() < 0.5:
        entries[index] = replace(entries[index], purpose="另一用途")
    else:
        del entries[index]
    for table in ("access_log", "access_log_tile", "access_log_node"):
        connection.execute(f"DELETE FROM registry.{table}".encode())
    connection.execute("UPDATE registry.access_log_head SET size = 0, peaks = '{}'")
    log.append(connection, entries)
    before = max(size for size in CHECKPOINTS if size <= index)
    return Done(before, min(size for size in CHECKPOINTS if size > index))


ALTERATIONS: list[Alteration] = [
    changed, changed, changed, changed_with_its_hash, removed, removed_and_closed_up, removed_at_the_end, inserted,
    added_at_the_end, exchanged, reversed_stretch, tile_altered, tile_removed, node_altered, node_removed,
    head_altered, checkpoint_altered, whole_tree_made_anew,
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(postgres: Any, registry_template: str) -> Iterator[str]:
    """One log for all; every alteration of it is rolled back."""
    name = "tampered_log"
    with psycopg.connect(postgres.conninfo(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {registry_template}".encode())
        with connect(postgres.conninfo(name)) as connection:
            for size in CHECKPOINTS:
                fill(connection, size)
                signed(connection)
        yield postgres.conninfo(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.mark.parametrize("seed", range(1000 // PER_SEED))
def test_every_random_alteration_is_found_and_located(filled: str, seed: int) -> None:
    draw = random.Random(seed)
    with connect(filled) as connection:
        for _ in range(PER_SEED):
            act = draw.choice(ALTERATIONS)
            with connection.transaction(force_rollback=True):
                connection.execute("SET LOCAL session_replication_role = replica")
                done = act(connection, draw)
                report = check.examine(connection, [KEY])
            assert _locates(report, done), (act.__name__, done, report.findings)
        assert check.check(connection, [KEY]).findings == ()


@pytest.mark.parametrize("index", [0, 255, 300, 511, 520, 699])
@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_changed_value_is_located_to_its_row_and_nothing_else_is_blamed(filled: str, name: str, index: int) -> None:
    with connect(filled) as connection, connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        value = COLUMNS[name](random.Random(1))
        connection.execute(f"UPDATE registry.access_log SET {name} = %s WHERE index = %s".encode(), (value, index))
        report = check.examine(connection, [KEY])

    rows = [each for each in report.findings if each.kind in {"changed", "leaf"}]
    assert [(each.first, each.last) for each in rows] == [(index, index)]
    assert {each.kind for each in report.findings} <= {"changed", "leaf", "checkpoint"}


def test_a_log_that_nobody_altered_is_proven_up_to_its_last_checkpoint(filled: str) -> None:
    with connect(filled) as connection:
        report = check.check(connection, [KEY])

    assert (report.findings, report.size, report.proven, report.checkpoints) == ((), SIZE, SIZE, len(CHECKPOINTS))


def test_newest_entries_taken_away_with_their_checkpoints_show_by_a_checkpoint_that_somebody_holds(filled: str) -> None:
    with connect(filled) as connection:
        held = notes.opened(checkpoints.every(connection)[-1].note, [KEY])
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL session_replication_role = replica")
            _begin_anew(connection, 600)
            alone = check.examine(connection, [KEY])
            report = check.examine(connection, [KEY], [held])

    assert alone.findings == ()
    assert [(each.kind, each.first, each.last) for each in report.findings] == [("missing", 600, SIZE - 1)]


def test_a_log_rewritten_with_new_checkpoints_shows_by_a_checkpoint_that_somebody_holds(filled: str) -> None:
    with connect(filled) as connection:
        held = [notes.opened(kept.note, [KEY]) for kept in checkpoints.every(connection)]
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL session_replication_role = replica")
            _begin_anew(connection, 550)
            log.append(connection, [an_entry(number + 1) for number in range(550, SIZE)])
            signed(connection)
            assert check.examine(connection, [KEY]).findings == ()
            report = check.examine(connection, [KEY], held)

    assert [(each.kind, each.first, each.last) for each in report.findings] == [("checkpoint", 256, 599)]


def test_a_checkpoint_of_a_log_that_never_was_is_told(filled: str) -> None:
    with connect(filled) as connection:
        report = check.check(connection, [KEY], [Checkpoint(KEY.origin, 300, bytes(32))])

    assert [(each.kind, each.first, each.last) for each in report.findings] == [("checkpoint", 256, 299)]


def _locates(report: Report, done: Done) -> bool:
    return any(each.first <= done.last and each.last >= done.first for each in report.findings)


def _begin_anew(connection: psycopg.Connection, size: int) -> None:
    """The log cut to its first entries, with everything that would tell of the others."""
    entries = [each.entry for each in reading.between(connection, 0, size)]
    for table in ("access_log", "access_log_tile", "access_log_node"):
        connection.execute(f"DELETE FROM registry.{table}".encode())
    connection.execute("DELETE FROM registry.access_log_checkpoint WHERE size > %s", (size,))
    connection.execute("UPDATE registry.access_log_head SET size = 0, peaks = '{}'")
    log.append(connection, entries)


def _renumber(connection: psycopg.Connection, places: dict[int, int]) -> None:
    far = 1 << 23
    for old, new in places.items():
        connection.execute("UPDATE registry.access_log SET index = %s WHERE index = %s", (new + far, old))
    connection.execute("UPDATE registry.access_log SET index = index - %s WHERE index >= %s", (far, far))


def _shift(connection: psycopg.Connection, start: int, by: int) -> None:
    far = 1 << 23
    connection.execute("UPDATE registry.access_log SET index = index + %s WHERE index >= %s", (far + by, start))
    connection.execute("UPDATE registry.access_log SET index = index - %s WHERE index >= %s", (far, far))


def _copy_row(connection: psycopg.Connection, old: int, new: int) -> None:
    columns = "at, action, status, client, dataset, entity, entities, fields, purpose, case_number, request_digest"
    columns += ", trace_id, process, leaf_hash"
    connection.execute(
        f"INSERT INTO registry.access_log (index, {columns})"
        f" SELECT %s, {columns} FROM registry.access_log WHERE index = %s".encode(),
        (new, old),
    )


def _set_head(connection: psycopg.Connection, size: int) -> None:
    """The head as it would be if the rows were right."""
    leaves = [each.leaf for each in reading.between(connection, 0, size)]
    edge, _ = Frontier().extended(leaves)
    connection.execute("UPDATE registry.access_log_head SET size = %s, peaks = %s", (edge.size, list(edge.peaks)))


def _some_node(connection: psycopg.Connection, draw: random.Random) -> tuple[int, int]:
    rows = connection.execute("SELECT level, number FROM registry.access_log_node ORDER BY 1, 2").fetchall()
    found: tuple[int, int] = draw.choice(rows)
    return found
