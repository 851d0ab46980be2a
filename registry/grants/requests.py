"""Requests for grants on the registry: filed, checked, answered, with every step on record and a clock that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from registry.domain.credit.working_days import Deadline
from registry.domain.grants import requests as rules
from registry.domain.grants.requests import OPEN, REASONED, Action, Party, State
from registry.domain.grants.rules import edition, rules_on
from registry.domain.grants.terms import GrantError, Terms, checked
from registry.grants import giving
from registry.storage.grant_uses import day_of
from schemas.catalogue import default_catalogue
from schemas.errors import SchemaError

LONGEST_STATEMENT = 4000
MOST_OPEN = 100
"""Requests of one client that may wait at once."""
_COLUMNS: LiteralString = """
r.id, r.client_id, c.name AS client_name, r.dataset, r.sharing, r.department, r.fields, r.purposes, r.case_number,
r.rows, r.valid_until, r.daily_quota, r.legal_basis, r.statement, r.rules, r.filed_at, r.state, r.due_on,
r.due_assumed, r.grant_id
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a request."""

    at: datetime
    action: str
    state: str
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """A request as it is on record."""

    id: int
    client_id: str
    client_name: str
    dataset: str
    sharing: str
    department: str
    fields: tuple[str, ...] | None
    purposes: tuple[str, ...]
    case_number: bool
    rows: Mapping[str, tuple[str, ...]]
    valid_until: datetime | None
    daily_quota: int | None
    legal_basis: str
    statement: str
    rules: str
    """The edition of the rules by which it is handled."""
    filed_at: datetime
    state: State
    due_on: date | None
    """The last day of the next step; None where nothing is to be done any more."""
    due_assumed: bool
    """Whether working days of a year were taken from its weekdays, for its calendar is not known."""
    grant_id: int | None

    @property
    def terms(self) -> Terms:
        """What it asks for."""
        return Terms(
            None if self.fields is None else frozenset(self.fields),
            frozenset(self.purposes),
            self.case_number,
            {name: frozenset(values) for name, values in self.rows.items()},
            self.valid_until,
            self.daily_quota,
            self.legal_basis,
        )


def file(
    connection: psycopg.Connection,
    client_id: str,
    dataset: str,
    terms: Terms,
    statement: str,
    *,
    by: str,
    now: datetime,
) -> GrantRequest:
    """File a request: what for, in words, and the terms, checked as those of a grant are. Raises GrantError."""
    text = statement.strip()
    if not 0 < len(text) <= LONGEST_STATEMENT:
        raise GrantError(
            f"say what the data is for, in 1 to {LONGEST_STATEMENT} characters",
            f"须说明申请理由（1至{LONGEST_STATEMENT}字）",
            "statement",
        )
    if not terms.purposes:
        raise GrantError("a request names at least one purpose", "须至少填写一项用途", "purposes_missing")
    if not terms.legal_basis.strip():
        raise GrantError("a request names its legal basis", "须注明依据", "legal_basis_missing")
    with connection.transaction():
        giving.lock_client(connection, client_id)
        found = connection.execute(
            "SELECT schema, key, entity_field, sharing, department FROM registry.dataset WHERE name = %s", (dataset,)
        ).fetchone()
        if found is None:
            raise GrantError(
                f"the registry holds no dataset {dataset!r}", f"登记库没有资源 {dataset}", "dataset_unknown"
            )
        schema, key, entity_field, sharing, department = found
        (waiting,) = _one(
            connection.execute(
                "SELECT count(*) FROM registry.access_grant_request WHERE client_id = %s AND due_on IS NOT NULL",
                (client_id,),
            )
        )
        if waiting >= MOST_OPEN:
            raise GrantError(
                f"{waiting} requests of this client wait already", f"该客户端已有 {waiting} 件申请在办", "too_many_open"
            )
        handled = rules_on(day_of(now))
        always = (*key, *([entity_field] if entity_field else ()))
        good = checked(terms, schema, always, now, default_catalogue(), usual=handled.usual, longest=handled.longest)
        due = handled.conformity_due(day_of(now))
        (number,) = _one(
            connection.execute(
                "INSERT INTO registry.access_grant_request (client_id, dataset, sharing, department, fields, purposes,"
                " case_number, rows, valid_until, daily_quota, legal_basis, statement, rules, filed_at, state, due_on,"
                " due_assumed) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'filed', %s, %s)"
                " RETURNING id",
                (
                    client_id, dataset, sharing, department, None if good.fields is None else sorted(good.fields),
                    sorted(good.purposes), good.case_number,
                    Jsonb({name: sorted(values) for name, values in good.rows.items()}),
                    None if terms.valid_until is None else good.valid_until, good.daily_quota, good.legal_basis, text,
                    handled.edition, now, due.day, due.assumed,
                ),
            )
        )  # fmt: skip
        _note(connection, number, now, "file", "filed", by, None)
        return one(connection, number)


def step(
    connection: psycopg.Connection,
    number: int,
    action: Action,
    party: Party,
    *,
    now: datetime,
    reason: str = "",
    less: Terms | None = None,
) -> GrantRequest:
    """Do something with a request. ``less``: with an approval, terms that give less than was asked for.

    Raises GrantError.
    """
    with connection.transaction():
        connection.execute("SELECT FROM registry.access_grant_request WHERE id = %s FOR UPDATE", (number,))
        held = one(connection, number)
        rules.expect_may(party, action, held.sharing, held.department, held.client_id)
        state = rules.after(held.state, action)
        said = reason.strip()
        if action in REASONED and not said:
            raise GrantError("say why, for whoever asked to read", "须说明理由", "reason_missing")
        grant_id = None
        if action == "approve":
            given = held.terms if less is None else less
            rules.expect_no_more(held.terms, given, _personal(connection, held.dataset))
            grant_id = giving.give(
                connection, held.client_id, held.dataset, given, given_by=party.name, approval=f"request {number}"
            ).id
        due = _due(held, state, now)
        connection.execute(
            "UPDATE registry.access_grant_request SET state = %s, due_on = %s, due_assumed = %s, grant_id = %s"
            " WHERE id = %s",
            (state, None if due is None else due.day, due is not None and due.assumed, grant_id, number),
        )
        _note(connection, number, now, action, state, party.name, said or None)
        return one(connection, number)


def _personal(connection: psycopg.Connection, dataset: str) -> frozenset[str]:
    """The paths of a dataset's personal values. Raises GrantError where its schema is not there."""
    (schema,) = _one(connection.execute("SELECT schema FROM registry.dataset WHERE name = %s", (dataset,)))
    try:
        return frozenset(each.removeprefix("/") for each in default_catalogue().personal_fields(schema))
    except SchemaError as error:
        raise GrantError(f"fields cannot be checked: {error}", "字段无法核对") from error


def one(connection: psycopg.Connection, number: int) -> GrantRequest:
    """A request by its number. Raises GrantError."""
    found = _requests(connection, "r.id = %(id)s", {"id": number, "limit": 1})
    if not found:
        raise GrantError(f"there is no request {number}", f"没有第 {number} 号申请", "request_unknown")
    return found[0]


def listed(
    connection: psycopg.Connection,
    *,
    client_id: str | None = None,
    departments: Sequence[str] | None = None,
    state: str = "all",
    overdue_on: date | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[GrantRequest]:
    """Requests in the order of their filing: of a client or for some departments, or all of them where neither is said.

    ``state``: one of them, ``open`` or ``all``. ``overdue_on``: only those whose last day is before that day.
    """
    return _requests(
        connection,
        "(%(everyone)s OR r.client_id = %(client)s OR r.department = ANY(%(departments)s::text[]))"
        " AND (%(state)s = 'all' OR r.state = %(state)s OR (%(state)s = 'open' AND r.due_on IS NOT NULL))"
        " AND (%(overdue)s::date IS NULL OR r.due_on < %(overdue)s) AND r.id > %(after)s",
        {
            "everyone": client_id is None and departments is None,
            "client": client_id,
            "departments": list(departments or ()),
            "state": state,
            "overdue": overdue_on,
            "after": after,
            "limit": limit,
        },
    )


def events(connection: psycopg.Connection, number: int) -> list[Event]:
    """What happened to a request, the oldest first."""
    rows = connection.execute(
        "SELECT at, action, state, by, reason FROM registry.access_grant_event WHERE request_id = %s ORDER BY id",
        (number,),
    )
    return [Event(*row) for row in rows]


def _due(held: GrantRequest, state: State, now: datetime) -> Deadline | None:
    return edition(held.rules).decision_due(day_of(now)) if state in OPEN else None


def _note(
    connection: psycopg.Connection, number: int, at: datetime, action: str, state: str, by: str, reason: str | None
) -> None:
    connection.execute(
        "INSERT INTO registry.access_grant_event (request_id, at, action, state, by, reason)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (number, at, action, state, by, reason),
    )


def _requests(connection: psycopg.Connection, where: LiteralString, values: Mapping[str, Any]) -> list[GrantRequest]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"SELECT {_COLUMNS} FROM registry.access_grant_request r JOIN registry.client c ON c.id = r.client_id"
            f" WHERE {where} ORDER BY r.id LIMIT %(limit)s",
            values,
        ).fetchall()
    return [
        GrantRequest(
            **{
                **row,
                "fields": None if row["fields"] is None else tuple(row["fields"]),
                "purposes": tuple(row["purposes"]),
                "rows": {name: tuple(allowed) for name, allowed in row["rows"].items()},
            }
        )
        for row in rows
    ]


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  (statements that always give a row)
    return tuple(row)
