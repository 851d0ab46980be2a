"""Evaluations of all enterprises, kept up to their records.

A card that is new is taken up by going through all enterprises in order, in parts that several processes may share.
From then on only those are evaluated again whose records changed (it follows the change feed), for which something
beside their records changed (marks, matches: ``registry.evaluation_touch``), or whose day has come (``changes_on``).
A card or a rule with another digest begins again.

Each step is ONE transaction that moves its own position: killed anywhere, it has happened or it has not, and whoever
runs next goes on. An enterprise whose evaluation would be the same is not written.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb, set_json_loads

from registry.credit import following
from registry.credit.enterprise_file import china_day
from registry.credit.evaluation_records import Between, Named, RecordReader, records_as_of
from registry.credit.following import RecordKey
from registry.domain.credit.evaluation import (
    Evaluation,
    Evaluator,
    RecordToScore,
    Rulebook,
    default_rulebook,
    from_stored,
    without_names,
)
from registry.domain.credit.scorecard import Scorecard, load_scorecard
from registry.storage.database import connect

STEP = 1000
"""Enterprises that one transaction evaluates while it follows."""
FIRST_STEP = 5000
"""Enterprises that one transaction evaluates when all are."""
PARTS = 32
"""In so many parts all enterprises are first evaluated: more than there are processes, so that all end together."""

_COLUMNS = "scorecard, version, entity, day, score, grade, factors, input_digest, changes_on, computed_at"


_LOOK_SECONDS = 1.0
"""How often the parts are looked at that other processes evaluate."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the evaluations by a card have come."""

    card: str
    """``enterprise_credit@1``."""
    evaluated: int | None
    """Enterprises that this process has evaluated so far; None: others do the work."""
    parts_done: int
    parts: int
    """In which all enterprises are evaluated first."""


Told = Callable[[Progress], None]
"""Called after each committed step."""


class OtherRules(RuntimeError):  # noqa: N818  (named for what the caller meets)
    """Somebody else keeps the evaluations of this card by another text of it, or by other rules."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What keeping the evaluations came to."""

    counts: Counter[str] = field(default_factory=Counter)
    """``evaluated``: enterprises looked at; ``written``: whose evaluation is another; ``removed``."""
    complete: bool = True
    """Whether all enterprises have been evaluated; False: other processes are still at their parts."""
    caught_up: bool = True
    """Whether everything has been followed that was committed when it began."""


def keep(
    connection: psycopg.Connection,
    card: Scorecard,
    *,
    now: datetime,
    rules: Rulebook | None = None,
    wait: float = 0.0,
    told: Told | None = None,
) -> EvaluationReport:
    """Bring the evaluations by a card up to what the registry holds and what day it is.

    The connection is in autocommit. Doing it again does nothing; several at once share the work or take turns.
    ``wait``: see :func:`registry.credit.following.follow`. Raises OtherRules.
    """
    set_json_loads(orjson.loads, connection)
    evaluator = Evaluator(card, rules or default_rulebook())
    begin(connection, evaluator, now=now)
    counts = evaluate_parts(connection, evaluator, now=now, told=told)
    if not complete(connection, evaluator, now=now):
        return EvaluationReport(counts, complete=False, caught_up=False)
    followed: Counter[str] = Counter()

    def tell() -> None:
        if told is not None:
            told(progress(connection, card, counts["evaluated"] + followed["evaluated"]))

    def look(connection: psycopg.Connection, records: Sequence[RecordKey]) -> Counter[str]:
        if _lock(connection, card) != evaluator.digest:
            raise OtherRules(f"{card.reference} has been begun again with other rules: start with those")
        tell()
        done = refresh(connection, evaluator, following.entities_of(connection, records), now=now)
        followed.update(done)
        return done

    report = following.follow(connection, _follower(card), card.datasets, look, wait=wait)
    followed.clear()
    counts.update(report.counts)
    for step in (_touched, _due):
        while step(connection, evaluator, now, counts):
            tell()
    _forget_touches(connection)
    return EvaluationReport(counts, complete=True, caught_up=report.caught_up)


def begin(connection: psycopg.Connection, evaluator: Evaluator, *, now: datetime) -> bool:
    """Take up a card, or begin again with one whose digest (or that of the rules) is another; whether it did."""
    card = evaluator.card
    with connection.transaction():
        connection.execute(
            "INSERT INTO registry.evaluation_card (scorecard, version, digest, begun_at, touched_xid, touched_seq)"
            " VALUES (%s, %s, '', %s, pg_snapshot_xmin(pg_current_snapshot()), 0) ON CONFLICT DO NOTHING",
            (card.name, card.version, now),
        )
        digest = _lock(connection, card)
        if digest == evaluator.digest:
            return False
        following.register(connection, _follower(card), card.datasets)
        connection.execute(
            "UPDATE registry.follower SET first_load = %s WHERE name = %s",
            (Jsonb(dict.fromkeys(card.datasets)), _follower(card)),
        )
        connection.execute(
            "UPDATE registry.evaluation_card SET digest = %s, begun_at = %s, complete_at = NULL"
            " WHERE scorecard = %s AND version = %s",
            (evaluator.digest, now, card.name, card.version),
        )
        _plan_parts(connection, card)
    return True


def evaluate_parts(
    connection: psycopg.Connection, evaluator: Evaluator, *, now: datetime, told: Told | None = None
) -> Counter[str]:
    """Evaluate enterprise after enterprise until no part is left that nobody else is at."""
    counts: Counter[str] = Counter()
    reader = RecordReader.of(connection, evaluator)
    while _next_of_parts(connection, reader, now, counts):
        if told is not None:
            told(progress(connection, evaluator.card, counts["evaluated"]))
    return counts


def progress(connection: psycopg.Connection, card: Scorecard, evaluated: int | None = None) -> Progress:
    """How far the first evaluation of all has come; 0 of 0 parts: the card has not been taken up."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE done), count(*) FROM registry.evaluation_part"
        " WHERE scorecard = %s AND version = %s",
        (card.name, card.version),
    ).fetchone()
    done, parts = row or (0, 0)
    return Progress(card.reference, evaluated, done, parts)


def evaluate_in_processes(url: str, card: Path, processes: int, *, now: datetime, told: Told | None = None) -> None:
    """Take up a card by several processes at once. Raises RuntimeError if one of them fails: what they did stays."""
    evaluator = Evaluator(load_scorecard(card))
    with connect(url) as connection:
        begin(connection, evaluator, now=now)
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=_worker, args=(url, card, now), daemon=True) for _ in range(processes)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            if told is not None:
                told(progress(connection, evaluator.card))
            next((worker for worker in workers if worker.is_alive()), workers[0]).join(_LOOK_SECONDS)
        complete(connection, evaluator, now=now)
    failed = [str(worker.exitcode) for worker in workers if worker.exitcode]
    if failed:
        raise RuntimeError(f"{len(failed)} of {processes} processes failed (exit codes {', '.join(failed)})")


def complete(connection: psycopg.Connection, evaluator: Evaluator, *, now: datetime) -> bool:
    """Whether all enterprises have been evaluated by this card and these rules; notes when."""
    card = evaluator.card
    with connection.transaction():
        if _lock(connection, card) != evaluator.digest:
            return False
        left = connection.execute(
            "SELECT FROM registry.evaluation_part WHERE scorecard = %s AND version = %s AND NOT done LIMIT 1",
            (card.name, card.version),
        ).rowcount
        if not left:
            connection.execute(
                "UPDATE registry.evaluation_card SET complete_at = coalesce(complete_at, %s)"
                " WHERE scorecard = %s AND version = %s AND complete_at IS NULL",
                (now, card.name, card.version),
            )
    return not left


def refresh(
    connection: psycopg.Connection, evaluator: Evaluator, entities: Sequence[str], *, now: datetime
) -> Counter[str]:
    """Evaluate some enterprises anew, in the caller's transaction; those that are gone lose their evaluation."""
    card, day = evaluator.card, china_day(now)
    counts: Counter[str] = Counter()
    for first in range(0, len(entities), STEP):
        some = entities[first : first + STEP]
        known: dict[str, tuple[UUID, date, date | None]] = {
            entity: (digest, since, changes_on)
            for entity, digest, since, changes_on in connection.execute(
                "SELECT entity, input_digest, day, changes_on FROM registry.evaluation"
                " WHERE scorecard = %s AND version = %s AND entity = ANY(%s)",
                (card.name, card.version, some),
            )
        }
        records = RecordReader.of(connection, evaluator).by_entity(Named(some))
        rows, gone = [], known.keys() - records.keys()
        for entity in sorted(records):
            row = _row(evaluator, entity, records[entity], day, now)
            if not _still_holds(known.get(entity), row, day):
                rows.append(row)
        _write(connection, evaluator, Named([*gone, *(row[2] for row in rows)]), rows)
        counts.update(evaluated=len(records), written=len(rows), removed=len(gone))
    return counts


def evaluate_now(
    connection: psycopg.Connection, card: Scorecard, entity: str, day: date, rules: Rulebook | None = None
) -> Evaluation | None:
    """One enterprise by any card from the registry as it is; None: it is not registered. Nothing is written."""
    evaluator = Evaluator(card, rules or default_rulebook())
    records = RecordReader.of(connection, evaluator).by_entity(Named([entity])).get(entity)
    return None if records is None else evaluator.evaluate(records, day)


def evaluate_as_of(
    connection: psycopg.Connection, card: Scorecard, entity: str, day: date, rules: Rulebook | None = None
) -> Evaluation | None:
    """One enterprise on a past day, from what the registry held that evening; None: it was not registered then.

    It names every record of that time: :func:`shown_as_of` is for those who read it.
    """
    evaluator = Evaluator(card, rules or default_rulebook())
    records = records_as_of(connection, evaluator, entity, day)
    return evaluator.evaluate(records, day) if records else None


def shown_as_of(
    connection: psycopg.Connection, card: Scorecard, entity: str, day: date, *, now: datetime
) -> Evaluation | None:
    """One enterprise on a day up to today as it may be shown now; None: it was not registered then.

    Asking for a day gone by brings back nothing: a record that may not be shared today counts without its name.
    """
    today = china_day(now)
    if day >= today:
        return evaluate_now(connection, card, entity, day)
    found = evaluate_as_of(connection, card, entity, day)
    if found is None:
        return None
    evaluator = Evaluator(card, default_rulebook())
    records = RecordReader.of(connection, evaluator).by_entity(Named([entity])).get(entity, [])
    return without_names(found, evaluator.nameable(records, today))


def read(connection: psycopg.Connection, card: Scorecard, entity: str) -> Evaluation | None:
    """The kept evaluation of an enterprise by a card, in words; None: there is none."""
    row = connection.execute(
        "SELECT day, factors, input_digest, changes_on FROM registry.evaluation"
        " WHERE scorecard = %s AND version = %s AND entity = %s",
        (card.name, card.version, entity),
    ).fetchone()
    return None if row is None else from_stored(card, *row)


def drop(connection: psycopg.Connection, card: Scorecard) -> int:
    """Forget a card that is no longer in use, with its evaluations; how many they were."""
    with connection.transaction():
        _lock(connection, card)
        removed = connection.execute(
            "DELETE FROM registry.evaluation WHERE scorecard = %s AND version = %s", (card.name, card.version)
        ).rowcount
        connection.execute(
            "DELETE FROM registry.evaluation_card WHERE scorecard = %s AND version = %s", (card.name, card.version)
        )
        connection.execute("DELETE FROM registry.follower WHERE name = %s", (_follower(card),))
    return removed


def _worker(url: str, card: Path, now: datetime) -> None:
    with connect(url) as connection:
        set_json_loads(orjson.loads, connection)
        evaluate_parts(connection, Evaluator(load_scorecard(card)), now=now)


def _follower(card: Scorecard) -> str:
    return f"evaluation:{card.reference}"


def _lock(connection: psycopg.Connection, card: Scorecard) -> str | None:
    """One step at a time per card; the digest by which its evaluations are made. None: it is not in use."""
    row = connection.execute(
        "SELECT digest FROM registry.evaluation_card WHERE scorecard = %s AND version = %s FOR UPDATE",
        (card.name, card.version),
    ).fetchone()
    return None if row is None else str(row[0])


def _plan_parts(connection: psycopg.Connection, card: Scorecard) -> None:
    """Parts of about as many enterprises each, from the first code to the last."""
    connection.execute(
        "DELETE FROM registry.evaluation_part WHERE scorecard = %s AND version = %s", (card.name, card.version)
    )
    row = connection.execute(
        "SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY r.entity)"
        " FROM registry.record r WHERE r.entity IS NOT NULL"
        " AND r.dataset_id = (SELECT id FROM registry.dataset WHERE name = %s)",
        ([number / PARTS for number in range(1, PARTS)], card.enterprises),
    ).fetchone()
    bounds: list[str] = sorted({bound for bound in (row[0] if row else None) or () if bound is not None})
    parts = zip(["", *bounds], [*bounds, None], strict=True)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO registry.evaluation_part (scorecard, version, part, after, until, done)"
            " VALUES (%s, %s, %s, %s, %s, false)",
            [(card.name, card.version, number, after, until) for number, (after, until) in enumerate(parts)],
        )


def _next_of_parts(connection: psycopg.Connection, reader: RecordReader, now: datetime, counts: Counter[str]) -> bool:
    """One transaction: the next enterprises of a part that nobody else is at; whether there was one."""
    evaluator, day = reader.evaluator, china_day(now)
    card = evaluator.card
    with connection.transaction():
        digest = connection.execute(
            "SELECT digest FROM registry.evaluation_card WHERE scorecard = %s AND version = %s FOR SHARE",
            (card.name, card.version),
        ).fetchone()
        part = connection.execute(
            "SELECT part, after, until FROM registry.evaluation_part"
            " WHERE scorecard = %s AND version = %s AND NOT done ORDER BY part LIMIT 1 FOR UPDATE SKIP LOCKED",
            (card.name, card.version),
        ).fetchone()
        if digest is None or digest[0] != evaluator.digest or part is None:
            return False
        number, after, until = part
        entities = reader.enterprises(after, until, FIRST_STEP)
        done = len(entities) < FIRST_STEP
        last = entities[-1] if entities else after
        which = Between(after, last)
        records = reader.by_entity(which) if entities else {}
        rows = [_row(evaluator, entity, records[entity], day, now) for entity in sorted(records)]
        # Beyond the last enterprise of a part there may be evaluations of some that are gone.
        _write(connection, evaluator, Between(after, until or _LAST) if done else which, rows)
        connection.execute(
            "UPDATE registry.evaluation_part SET after = %s, done = %s"
            " WHERE scorecard = %s AND version = %s AND part = %s",
            (last, done, card.name, card.version, number),
        )
    counts.update(evaluated=len(rows), written=len(rows))
    return True


_LAST = "\U0010ffff"
"""After every code."""


def _row(
    evaluator: Evaluator, entity: str, records: Sequence[RecordToScore], day: date, now: datetime
) -> tuple[Any, ...]:
    score, card = evaluator.score(records, day), evaluator.card
    return (
        *(card.name, card.version, entity, day, score.score, score.grade, score.stored(card).decode()),
        *(UUID(bytes=score.input_digest), score.changes_on, now),
    )


def _still_holds(known: Sequence[Any] | None, row: Sequence[Any], day: date) -> bool:
    """Whether the kept evaluation is of the same input, and no day has come since that changes it."""
    if known is None:
        return False
    digest, since, changes_on = known
    return bool(digest == row[7] and since <= day and (changes_on is None or day < changes_on))


_DELETE = sql.SQL("DELETE FROM registry.evaluation WHERE scorecard = %(scorecard)s AND version = %(version)s AND ")


def _write(
    connection: psycopg.Connection, evaluator: Evaluator, which: Between | Named, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Put evaluations in the place of those that are there."""
    card = evaluator.card
    values: dict[str, Any] = {"scorecard": card.name, "version": card.version, **which.values}
    condition = which.condition(sql.Identifier("entity"))
    if isinstance(which, Between) or which.entities:
        connection.execute(
            _DELETE + condition,
            values,
        )
    if rows:
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY registry.evaluation ({_COLUMNS}) FROM STDIN".encode()) as copy,
        ):
            for row in rows:
                copy.write_row(row)


def _touched(connection: psycopg.Connection, evaluator: Evaluator, now: datetime, counts: Counter[str]) -> bool:
    """One transaction: the next enterprises for which something beside their records changed; whether there is more."""
    card = evaluator.card
    with connection.transaction():
        if _lock(connection, card) != evaluator.digest:
            return False
        rows = connection.execute(
            """
            WITH horizon AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
            card AS (SELECT * FROM registry.evaluation_card WHERE scorecard = %s AND version = %s)
            SELECT h.xmin::text, t.xid::text, t.seq, t.entity FROM horizon h CROSS JOIN card c
            LEFT JOIN LATERAL (
                SELECT * FROM registry.evaluation_touch t
                WHERE (t.xid, t.seq) > (c.touched_xid, c.touched_seq) AND t.xid < h.xmin
                ORDER BY t.xid, t.seq LIMIT %s
            ) t ON true ORDER BY t.xid, t.seq
            """,
            (card.name, card.version, STEP),
        ).fetchall()
        found = [row for row in rows if row[1] is not None]
        if not found:
            return False
        reached = found[-1] if len(found) == STEP else (None, rows[0][0], 0)
        done = refresh(connection, evaluator, sorted({row[3] for row in found}), now=now)
        connection.execute(
            "UPDATE registry.evaluation_card SET touched_xid = %s::text::xid8, touched_seq = %s"
            " WHERE scorecard = %s AND version = %s",
            (reached[1], reached[2], card.name, card.version),
        )
    counts.update(done)
    return len(found) == STEP


def _forget_touches(connection: psycopg.Connection) -> None:
    """What every card in use has followed."""
    connection.execute(
        "DELETE FROM registry.evaluation_touch"
        " WHERE xid < (SELECT min(touched_xid::text::bigint)::text::xid8 FROM registry.evaluation_card)"
    )


def _due(connection: psycopg.Connection, evaluator: Evaluator, now: datetime, counts: Counter[str]) -> bool:
    """One transaction: the next enterprises whose day has come; whether there may be more."""
    card = evaluator.card
    with connection.transaction():
        if _lock(connection, card) != evaluator.digest:
            return False
        rows = connection.execute(
            "SELECT entity FROM registry.evaluation WHERE scorecard = %s AND version = %s AND changes_on <= %s"
            " ORDER BY changes_on, entity LIMIT %s",
            (card.name, card.version, china_day(now), STEP),
        ).fetchall()
        done = refresh(connection, evaluator, sorted(entity for (entity,) in rows), now=now)
    counts.update(done)
    return len(rows) == STEP
