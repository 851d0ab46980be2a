"""The days of the demo city: make it, let a day of life happen, and say exactly what happened.

Deterministic: the same seed and scale give the same city, and the same day the same changes. Each step may be repeated
after a crash; the day is written down last.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from shuqiao.demo import credit, licensing_files, market, tax_store
from shuqiao.demo.credit_faults import CREDIT_FAULTS
from shuqiao.demo.credit_faults import planted as planted_credit_faults
from shuqiao.demo.faults import Outcome, planned
from shuqiao.demo.rosters import CONNECTORS, City, roster
from shuqiao.demo.rows import MAKERS, Written, written_on
from shuqiao.demo.serving import replace_file

Say = Callable[[str], None]

LARGE = 50_000
"""From so many enterprises on, starting more processes saves time."""

FILE_MAKERS: dict[str, Callable[[Path, City], int]] = {
    "tax": tax_store.load,
    "licensing": licensing_files.load,
    "credit": credit.publish,
}


@dataclass(frozen=True, slots=True)
class State:
    """Which city lies in a data folder, and how far its life has gone."""

    city: City
    day: int


@dataclass(frozen=True, slots=True)
class Happened:
    """What one day did to one connector's source, as the hub must see it."""

    connector: str
    new: int = 0
    changed: int = 0
    rewritten: int = 0
    """Rows written again with the same content: nothing to change in the registry."""
    deleted: int = 0
    corrected: int = 0
    """Rows that were refused and now are good: their quarantine closes."""
    spoiled: int = 0
    """Rows that were good and now must be refused."""
    still_refused: int = 0
    """Faulty rows that were written again, still faulty."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a full read of one connector's source must give in the evening of a day."""

    connector: str
    rows: int
    """Rows at the source; those marked as deleted are among them."""
    good: int
    """Different good records."""
    refused: dict[str, int]
    """Kind of fault -> rows."""
    repeated: int
    """Rows too many: the same record once more."""
    deleted: int


def _silent(_: str) -> None:
    """Say nothing."""


def read_state(data: Path) -> State | None:
    """What lies in the data folder; None if nothing (or nothing complete) does."""
    path = data / "city.json"
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return State(City(seed=kept["seed"], scale=kept["scale"]), kept["day"])


def generate(data: Path, engine: sa.Engine, city: City, *, say: Say = _silent) -> bool:
    """Make the city unless it is there already; whether it was made now."""
    state = read_state(data)
    if state is not None and state.city == city and sa.inspect(engine).has_table("ent_info", market.SCHEMA):
        return False
    data.mkdir(parents=True, exist_ok=True)
    (data / "city.json").unlink(missing_ok=True)
    with ExitStack() as stack:
        if city.scale >= LARGE:  # the departments need nothing of each other: each core makes one
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(min(len(FILE_MAKERS), os.cpu_count() or 1), context))
            waiting = [pool.submit(make, data, city) for make in FILE_MAKERS.values()]
        else:
            waiting = []
        say("market-supervision")
        market.load(engine, city)
        for number, (name, make) in enumerate(FILE_MAKERS.items()):
            say(name)
            _ = waiting[number].result() if waiting else make(data, city)
    _write_state(data, State(city, 0))
    return True


def change(data: Path, engine: sa.Engine, *, days: int = 1, say: Say = _silent) -> list[Happened]:
    """Let days of life happen, and say what they did to each source together."""
    state = read_state(data)
    if state is None:
        raise FileNotFoundError(f"{data}: no demo city here; make one with: shuqiao demo generate")
    totals: dict[str, Counter[str]] = {connector: Counter() for connector in CONNECTORS}
    for day in range(state.day + 1, state.day + days + 1):
        say(f"day {day}")
        market.change(engine, state.city, day)
        tax_store.change(data, state.city, day)
        licensing_files.change(data, state.city, day)
        credit.publish(data, state.city, day)
        for connector in CONNECTORS:
            totals[connector] += _counted(state.city, connector, day)
        _write_state(data, State(state.city, day))
    return [Happened(connector, **totals[connector]) for connector in CONNECTORS]


def happened(city: City, connector: str, day: int) -> Happened:
    """What a day does to one source; pure."""
    return Happened(connector, **_counted(city, connector, day))


def expected(city: City, connector: str, day: int = 0) -> Expected:
    """What a full read of one source must give in the evening of a day; pure, and counted one by one after day 0."""
    refused: Counter[str] = Counter()
    states: Counter[str] = Counter()
    rows = 0
    for number in roster(city, connector).members(day):
        written = MAKERS[connector](city, number, day)
        states[written.state] += 1
        rows += len(written.rows)
        if written.state == "refused" and written.fault is not None:
            refused[written.fault.kind] += 1
    written_once = states["good"] + states["refused"] + states["deleted"]
    return Expected(connector, rows, states["good"], dict(refused), rows - written_once, states["deleted"])


def fault_table(city: City) -> list[dict[str, object]]:
    """Every fault planted on day 0: connector, kind, what it is, rows, what must become of them.

    First those that a schema or the source's reader refuses, or that are repeated; then those of public credit data.
    """
    credit_faults = [
        {
            "connector": connector,
            "kind": str(each.kind),
            "zh": each.zh,
            "en": each.en,
            "rows": sum(found.kind is each.kind for found in planted_credit_faults(city, connector).values()),
            "outcome": each.found_as,
            "refused": 0,
        }
        for connector, kinds in CREDIT_FAULTS.items()
        for each in kinds
    ]
    return [
        {
            "connector": connector,
            "kind": fault.kind,
            "zh": fault.zh,
            "en": fault.en,
            "rows": count,
            "outcome": str(fault.outcome),
            "refused": count if fault.outcome in {Outcome.REFUSED, Outcome.UNREADABLE} else 0,
        }
        for connector in CONNECTORS
        for fault, count in planned(connector, roster(city, connector).size)
    ] + credit_faults


_NAMES = {
    ("absent", "good"): "new",
    ("good", "good"): "changed",
    ("good", "deleted"): "deleted",
    ("good", "absent"): "deleted",
    ("refused", "good"): "corrected",
    ("good", "refused"): "spoiled",
    ("refused", "refused"): "still_refused",
}


def _counted(city: City, connector: str, day: int) -> Counter[str]:
    return Counter(_name(before, after) for _, before, after in written_on(city, connector, day))


def _name(before: Written, after: Written) -> str:
    if before.state == after.state == "good" and before.says_the_same(after):
        return "rewritten"
    return _NAMES[before.state, after.state]


def _write_state(data: Path, state: State) -> None:
    kept = {**asdict(state.city), "day": state.day}
    replace_file(data / "city.json", json.dumps(kept).encode())
