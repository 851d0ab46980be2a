"""What the product's own reads give of a town: discrepancies, findings, matches, as people see them."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Iterable
from types import SimpleNamespace
from typing import Any

import psycopg

from registry.credit.discrepancies import whole
from registry.storage.reads import credit, credit_matches
from registry.storage.reads.credit_matches import Wanted
from registry.storage.reads.pool import Row
from registry.storage.reads.within import Within, answered

ALL = 1000


def discrepancies(
    connection: psycopg.Connection,
    department: str | None = None,
    *,
    entity: str | None = None,
    closed: bool = False,
) -> list[SimpleNamespace]:
    pool = Within(connection)
    rows = answered(
        credit.discrepancies(pool, after=0, limit=ALL, department=department, entity=entity, is_open=not closed)
    )
    return [SimpleNamespace(**whole(row)) for row in rows]


def findings(connection: psycopg.Connection, department: str, *, closed: bool = False) -> list[SimpleNamespace]:
    pool = Within(connection)
    return _all(credit.findings(pool, after=0, limit=ALL, department=department, kind=None, is_open=not closed))


def candidates(connection: psycopg.Connection) -> list[SimpleNamespace]:
    """What waits for a person."""
    return _all(credit_matches.page(Within(connection), Wanted(state="candidate"), after=0, limit=ALL))


def matches(connection: psycopg.Connection, dataset: str, key: str) -> list[SimpleNamespace]:
    """Everything that was ever matched with a record."""
    found = _all(credit_matches.page(Within(connection), Wanted(dataset=dataset), after=0, limit=ALL))
    return [each for each in found if each.key == key]


def _all(asked: Coroutine[Any, Any, list[Row]]) -> list[SimpleNamespace]:
    return [SimpleNamespace(**dict(_plain(row.items()))) for row in answered(asked)]


def _plain(row: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """JSON comes as its text."""
    return ((name, json.loads(said) if name in {"detail", "features"} else said) for name, said in row)
