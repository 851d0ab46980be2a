"""The issue service: licences follow the registry's records, without anyone touching them.

Each type follows the change feed of its dataset from a position of its own. A step takes the next thousand keys and
looks at their records and licences as they are now; what that calls for is written in ONE transaction together with
the position: licences, signed forms, events, refusals, status bits and the lists signed anew. Killed anywhere, a step
has happened or it has not; two who follow one type take turns; and a key that is looked at twice is found in order.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256

import psycopg

from registry.domain.licences import states
from registry.domain.licences.loading import LicenceTypes
from registry.domain.licences.types import LicenceType
from registry.licences import authorities, following, standing, writing
from registry.licences.deciding import ENDED_FOR_GOOD, Agreed, Decision, Enter, Issue, Judge, Refuse, Step
from registry.licences.desk import HUB, Desk
from registry.licences.following import Followed, Position
from registry.licences.keys import KeyRing
from registry.licences.standing import Origins, SourceRecord, Standing
from registry.licences.writing import NewLicence, Source, StateChange

STEP = 1000
"""Keys that one transaction looks at: few enough that nobody waits long for its locks, enough to share its cost."""
_LOOK_AGAIN = 0.05
"""Seconds between two looks at whether the oldest transaction has ended."""


@dataclass(slots=True)
class Counts:
    """What was done for one type."""

    issued: int = 0
    new_versions: int = 0
    state_changes: int = 0
    refused: int = 0
    unchanged: int = 0
    """Records looked at that agreed with their licence, or call for none."""

    def add(self, other: Counts) -> None:
        """Count another's in."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)


@dataclass(frozen=True, slots=True)
class IssueReport:
    """What following the registry came to."""

    by_type: Mapping[str, Counts]
    caught_up: bool
    """Whether everything has been followed that was committed when it began. False: a transaction that is older ran
    longer than was to be waited for; what is behind it comes next time."""
    begun_again: tuple[str, ...] = ()
    """Types that stood further back than the feed reaches: all their records were gone through anew."""
    total: Counts = field(init=False)

    def __post_init__(self) -> None:
        total = Counts()
        for counts in self.by_type.values():
            total.add(counts)
        object.__setattr__(self, "total", total)


def follow(
    connection: psycopg.Connection,
    types: LicenceTypes,
    keys: KeyRing,
    *,
    base: str,
    now: datetime,
    wait: float = 0.0,
) -> IssueReport:
    """Bring the licences of every type up to what the registry holds.

    ``wait``: seconds for which a longer transaction is waited for, beside which the changes to follow were committed
    (the feed can be read only below the oldest transaction that is running). Raises KeyNotActive when a key was rotated
    meanwhile: load the keys anew and call again, nothing is lost.
    """
    desk = Desk(types, keys, base, now)
    standing.read_json_quickly(connection)
    wanted, deadline = following.newest(connection), time.monotonic() + wait
    by_type = {each.name: Counts() for each in types.newest if following.register(connection, each)}
    begun_again = tuple(name for name in by_type if following.begin_again_if_outrun(connection, name))
    for name, counts in by_type.items():
        _look_again_at_refusals(connection, desk, types.latest(name), counts)
    behind = list(by_type)
    while True:
        for name in behind:
            _catch_up(connection, desk, types.latest(name), by_type[name])
        behind = [name for name in behind if following.position(connection, name).xid < wanted]
        if not behind or not _wait_for(connection, wanted, deadline):
            break
    for name, counts in by_type.items():
        counts.add(_sweep(connection, desk, name))
    return IssueReport(by_type, caught_up=not behind, begun_again=begun_again)


def _wait_for(connection: psycopg.Connection, wanted: int, deadline: float) -> bool:
    """Until the feed can be read up to ``wanted``; False when the time is over."""
    while following.horizon(connection) < wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_AGAIN)
    return True


def _catch_up(connection: psycopg.Connection, desk: Desk, licence_type: LicenceType, counts: Counts) -> None:
    """The first load, if it has not ended, then the feed as far as it can be read now."""
    more = True
    while more:
        more = _in_one_step(connection, desk, licence_type, counts, _next)


def _look_again_at_refusals(
    connection: psycopg.Connection, desk: Desk, licence_type: LicenceType, counts: Counts
) -> None:
    """Records whose refusal an authority entered since, or a new edition of the type, may have mended."""
    found = Counts()
    after = ""

    def next_refused(connection: psycopg.Connection, followed: Followed) -> _Work:
        nonlocal after
        known = sha256(f"{authorities.load(connection).digest}/{licence_type.digest}".encode()).hexdigest()
        if followed.refusals_examined == known:
            return _Work((), more=False)
        refused = following.next_refused(connection, followed, after, STEP)
        if len(refused) < STEP:
            return _Work(refused, more=False, done=lambda: following.examined(connection, followed.name, known))
        after = refused[-1]
        return _Work(refused, more=True)

    while _in_one_step(connection, desk, licence_type, found, next_refused):
        pass
    counts.add(replace(found, refused=0, unchanged=0))  # these were counted when they were refused


@dataclass(frozen=True, slots=True)
class _Work:
    """Keys to look at in one transaction, and what is written of the progress at its end."""

    keys: Sequence[str]
    more: bool
    done: Callable[[], None] = lambda: None


def _next(connection: psycopg.Connection, followed: Followed) -> _Work:
    if not followed.first_load_ended:
        found = following.next_records(connection, followed, STEP)
        if len(found) < STEP:
            return _Work(found, more=True, done=lambda: following.first_load_ended(connection, followed.name))
        return _Work(found, more=True, done=lambda: following.first_load_reached(connection, followed.name, found[-1]))
    stretch = following.next_changes(connection, followed, STEP)
    return _Work(stretch.keys, stretch.more, lambda: _move(connection, followed, stretch.reached))


def _move(connection: psycopg.Connection, followed: Followed, reached: Position) -> None:
    if reached != followed.position:
        following.move(connection, followed.name, reached)


def _in_one_step(
    connection: psycopg.Connection,
    desk: Desk,
    licence_type: LicenceType,
    counts: Counts,
    next_work: Callable[[psycopg.Connection, Followed], _Work],
) -> bool:
    """One transaction; whether there is more of the kind. It counts only once it is committed."""
    with _uncollected(), connection.transaction():
        followed = following.lock(connection, licence_type.name)
        work = next_work(connection, followed)
        done = _agree(connection, desk, licence_type, followed, work.keys) if work.keys else Counts()
        work.done()
    counts.add(done)
    return work.more


@contextmanager
def _uncollected() -> Iterator[None]:
    """A step keeps tens of thousands of objects until its end, none of them in a cycle.

    Looking for cycles among them meanwhile, in a process that has much loaded, takes a quarter of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _agree(
    connection: psycopg.Connection, desk: Desk, licence_type: LicenceType, followed: Followed, keys: Sequence[str]
) -> Counts:
    """Bring the licences of some keys to agree with their records."""
    cases = _cases(connection, licence_type.name, followed.dataset_id, keys)
    judge = Judge(licence_type, desk.types, authorities.load(connection), desk.today)
    decisions = [judge.decide(case.key, case.record, case.licence) for case in cases]
    origins = Origins(connection, licence_type.dataset)
    origins.know(case.record.batch_id for case in cases if case.record is not None)
    origins.know(case.licence.batch_id for case in cases if case.licence is not None and case.record is None)
    new, changes, refusals = _sorted(decisions, origins, followed.dataset_id)
    writing.write(connection, desk, new, changes)
    writing.refuse(connection, desk, licence_type.name, followed.dataset_id, refusals)
    refused = {each.key for each in refusals}
    writing.mend(connection, licence_type.name, followed.dataset_id, [key for key in keys if key not in refused])
    return Counts(
        issued=sum(each.predecessor is None for each in new),
        new_versions=sum(each.predecessor is not None for each in new),
        state_changes=len(changes),
        refused=len(refusals),
        unchanged=sum(isinstance(each, Agreed) for each in decisions),
    )


def _sorted(
    decisions: Sequence[Decision], origins: Origins, dataset_id: int
) -> tuple[list[NewLicence], list[StateChange], list[Refuse]]:
    new: list[NewLicence] = []
    changes: list[StateChange] = []
    refusals: list[Refuse] = []
    for decision in decisions:
        match decision:
            case Issue(said, steps, record, predecessor):
                source = Source(
                    dataset_id, record.key, record.version, record.batch_id, record.connector_id, record.row_id
                )
                origin = origins.of(record.key, record.version, record.batch_id)
                new.append(
                    NewLicence(
                        said.content, said.plain, said.digest, said.issuer, steps, source, origin, origin.connector,
                        predecessor,
                    )
                )  # fmt: skip
            case Enter(licence, step, record):
                batch = record.batch_id if record else licence.batch_id
                changes.append(StateChange(licence, step, origins.connector(batch), record.version if record else None))
            case Refuse():
                refusals.append(decision)
            case Agreed():
                pass
    return new, changes, refusals


@dataclass(frozen=True, slots=True)
class _Case:
    """A key with its record and the licence that stands for it, or stood for it under an earlier key."""

    key: str
    record: SourceRecord | None
    licence: Standing | None


def _cases(connection: psycopg.Connection, licence_type: str, dataset_id: int, keys: Sequence[str]) -> list[_Case]:
    """Read records and licences of some keys.

    A row of the source whose key was corrected takes its licence along: the record of the old key is gone, and the one
    that stands in the same row now is looked at with it.
    """
    records = standing.records(connection, dataset_id, keys)
    licences = standing.by_key(connection, licence_type, dataset_id, keys)
    rows = standing.last_rows(connection, dataset_id, [key for key in keys if key not in records])
    moved = set(standing.keys_at(connection, dataset_id, [rows[key] for key in rows if key in licences])) - set(keys)
    if moved:
        keys = [*keys, *sorted(moved)]
        records |= standing.records(connection, dataset_id, sorted(moved))
        licences |= standing.by_key(connection, licence_type, dataset_id, sorted(moved))
    _let_rows_follow(connection, licences, rows)
    rows |= {key: (record.connector_id, record.row_id) for key, record in records.items()}
    left = standing.left_behind(
        connection, licence_type, dataset_id, [rows[key] for key in keys if key not in licences and key in rows]
    )
    taken: dict[str, Standing] = {}
    for key in sorted(keys, key=lambda key: key not in records):
        found = None if key in licences or key not in rows else left.pop(rows[key], None)
        if found is not None and found.state not in ENDED_FOR_GOOD:
            taken[key] = found
    elsewhere = {each.key for each in taken.values()}
    return [_Case(key, records.get(key), licences.get(key) or taken.get(key)) for key in keys if key not in elsewhere]


def _let_rows_follow(
    connection: psycopg.Connection, licences: Mapping[str, Standing], rows: Mapping[str, tuple[int, str]]
) -> None:
    """A record may have moved to another row without a change of its own: its licence is found by the last one."""
    outdated = [
        (each.id, *rows[key])
        for key, each in licences.items()
        if key in rows and (each.connector_id, each.row_id) != rows[key]
    ]
    if outdated:
        connection.execute(
            "UPDATE registry.licence l SET connector_id = r.connector_id, row_id = r.row_id"
            " FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS r(id, connector_id, row_id) WHERE l.id = r.id",
            ([each[0] for each in outdated], [each[1] for each in outdated], [each[2] for each in outdated]),
        )


def _sweep(connection: psycopg.Connection, desk: Desk, name: str) -> Counts:
    """Ends of term, a thousand in a transaction; the day is noted with the last of them."""
    counts = Counts()
    more = True
    while more:
        with connection.transaction():
            followed = following.lock(connection, name)
            if followed.swept_on is not None and followed.swept_on >= desk.today:
                return counts
            ended = standing.select(
                connection,
                "WHERE l.superseded_by IS NULL AND l.type = %s AND l.state IN ('01', '02') AND l.valid_to < %s"
                " AND EXISTS (SELECT FROM registry.signing_key k WHERE k.issuer_code = l.issuer_code"
                " AND k.purpose = 'seal' AND k.state = 'active') ORDER BY l.valid_to, l.id LIMIT %s",
                (name, desk.today, STEP),
            )
            writing.write(connection, desk, (), [_expiry(each) for each in ended])
            more = len(ended) == STEP
            if not more:
                following.swept(connection, name, desk.today)
        counts.state_changes += len(ended)
    return counts


def _expiry(licence: Standing) -> StateChange:
    operation = states.transition(licence.state, states.EXPIRED).code
    return StateChange(licence, Step(operation, licence.state, states.EXPIRED), HUB, None)
