"""The source kind ``sql``: a table, view or query of any database that SQLAlchemy speaks to.

Rows come through the driver's own server-side cursor as plain tuples (``page`` reads short pages by keyset instead, for
servers that do not bear long transactions). With a ``cursor`` column, a run reads what was written since the last run
minus ``lookback``, inclusive of equal times; rows whose cursor is NULL are read every time: nothing says when they
changed. Rows are ordered by the cursor (then ``order_by``), so that the last operation on a record in an exchange table
comes last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar

import sqlalchemy as sa

from connectors.connection import Connection
from connectors.errors import SourceColumnsChanged, SourceMisconfigured
from connectors.kinds import sql_cursor, sql_discovery
from connectors.kinds.sql_server import errors_of, open_engine, place
from connectors.kinds.sql_session import clock, open_session
from connectors.kinds.sql_split import Split, hash_splits, range_splits
from connectors.kinds.sql_values import fetch, stream
from connectors.quantities import DURATION_PATTERN, duration
from connectors.source import Cursor, DiscoveredTable, Partition, Rows

BATCH_ROWS = 2_000
FEW_ROWS = 20_000
"""Not worth a second process."""
TIMEOUT = "10m"

_NAME = {"type": "string", "minLength": 1, "maxLength": 256}
_NAMES = {"type": "array", "minItems": 1, "items": _NAME}
_DURATION = {"type": "string", "pattern": DURATION_PATTERN, "x-expected": "a duration such as 90s, 10m, 2h or 1d"}


class SqlSource:
    """One table or query of one department's database."""

    settings_schema: ClassVar[Mapping[str, Any]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "table": _NAME | {"x-expected": "table or schema.table"},
            "query": {
                "type": "string",
                "minLength": 1,
                "pattern": r"(?is)^\s*(select|with|\()",
                "x-expected": "a SELECT",
            },
            "cursor": {
                "type": "object",
                "additionalProperties": False,
                "required": ["column"],
                "properties": {
                    "column": _NAME,
                    "lookback": {
                        "type": ["string", "integer"],
                        "minimum": 0,
                        "pattern": DURATION_PATTERN,
                        "x-expected": "a duration such as 10m (for a numeric cursor: a whole number)",
                    },
                    "timezone": {
                        "type": "string",
                        "x-expected": "the zone of times without one, such as Asia/Shanghai",
                    },
                },
            },
            "partitions": {
                "type": "object",
                "additionalProperties": False,
                "required": ["by", "count"],
                "properties": {
                    "by": _NAME,
                    "count": {"type": "integer", "minimum": 1, "maximum": 64, "x-expected": "a number from 1 to 64"},
                    "method": {"enum": ["hash", "range"]},
                },
            },
            "order_by": _NAMES,
            "page": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "x-expected": "rows per page"},
            "page_key": _NAMES,
            "batch": {"type": "integer", "minimum": 1, "maximum": 100_000, "x-expected": "rows, 1 to 100000"},
            "timeout": _DURATION,
        },
        "oneOf": [{"required": ["table"]}, {"required": ["query"]}],
    }

    def __init__(self, settings: Mapping[str, Any], connection: Connection | None, columns: Sequence[str]) -> None:
        """Open nothing yet."""
        if connection is None:
            raise SourceMisconfigured("a sql source needs source.connection: the id of an Airflow connection")
        self._settings, self._connection, self._wanted = settings, connection, tuple(columns)
        self._timeout = duration(settings.get("timeout", TIMEOUT))
        self._cursor_column: str | None = settings.get("cursor", {}).get("column")
        self._lazy_engine: sa.Engine | None = None
        self._columns: tuple[str, ...] | None = None

    @property
    def _where(self) -> str:
        return str(self._settings.get("table", "query"))

    @property
    def _engine(self) -> sa.Engine:
        if self._lazy_engine is None:
            self._lazy_engine = open_engine(self._connection, self._timeout)
        return self._lazy_engine

    # -- what the source has -------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Connect, and look for the table and every column that is read."""
        with self._guarded("check"), self._session() as session:
            present = self._present(session)
            selected = self._selected(session)
            count = sql_discovery.row_estimate(session, self._settings["table"]) if "table" in self._settings else None
            about = f", about {count:,} rows" if count is not None else ""
            version = ".".join(map(str, session.dialect.server_version_info or ()))
            server = f"{session.dialect.name} {version}".strip()
            columns = f"{len(present)} columns ({len(selected)} are read)"
            return f"{server} at {place(self._connection)}: {self._where} has {columns}{about}"

    def discover(self) -> Sequence[DiscoveredTable]:
        """Tables and views outside the system schemas, with masked samples."""
        with self._guarded("discover"), self._session() as session:
            return sql_discovery.tables(session)

    # -- planning ------------------------------------------------------------------------------------------------------

    def partitions(self, since: Cursor | None) -> Sequence[Partition]:
        """How to read what is there now; each partition carries its bounds, so that a retry reads the same."""
        with self._guarded("plan"), self._session() as session:
            bounds = self._bounds(session, since)
            condition = self._condition(bounds)
            few = sa.select(sa.literal(1)).select_from(self._relation()).where(*condition).limit(FEW_ROWS + 1)
            count = session.scalar(sa.select(sa.func.count()).select_from(few.subquery())) or 0
            if not count and since is not None:
                return []
            splits = self._splits(session, condition) if count > FEW_ROWS else [Split("all")]
        total = len(splits)
        return [
            Partition(
                number, f"{split.label} {number + 1}/{total}" if total > 1 else self._where, {**bounds, **split.spec()}
            )
            for number, split in enumerate(splits)
        ]

    def _bounds(self, session: sa.Connection, since: Cursor | None) -> dict[str, Any]:
        """``type`` of the cursor, ``cap`` (the furthest it may go) and ``lower`` (where to begin)."""
        if self._cursor_column is None:
            return {}
        kind, cap = self._cap(session, since)
        if kind is None:
            return {}
        bounds = {"type": kind, "cap": sql_cursor.encode(cap)}
        if self._continues(since) and since is not None and not sql_cursor.set_back(kind, cap, since.get("clock")):
            value = sql_cursor.decode(kind, since["value"])
            bounds["lower"] = sql_cursor.encode(
                sql_cursor.looked_back(kind, value, self._settings["cursor"].get("lookback"))
            )
        return bounds

    def _continues(self, since: Cursor | None) -> bool:
        """Whether the cursor is one of this column: a manifest may have been given another since."""
        return since is not None and since.get("column") == self._cursor_column

    def _cap(self, session: sa.Connection, since: Cursor | None) -> tuple[str | None, Any]:
        """Type of the cursor and the furthest it may get now: the clock, or the highest value that is there now."""
        zone = self._settings["cursor"].get("timezone")
        if since is not None and self._continues(since) and since["type"] in sql_cursor.TIMES:
            return since["type"], clock(session, sql_cursor.decode(since["type"], since["value"]), zone)
        column: sa.ColumnElement[Any] = sa.column(str(self._cursor_column))
        highest = session.scalar(sa.select(sa.func.max(column)).select_from(self._relation()))
        if highest is None:
            return None, None
        kind = sql_cursor.kind_of(highest)
        return kind, clock(session, highest, zone) if kind in sql_cursor.TIMES else highest

    def _splits(self, session: sa.Connection, condition: Sequence[sa.ColumnElement[bool]]) -> list[Split]:
        wanted = self._settings.get("partitions")
        if wanted is None or wanted["count"] == 1:
            return [Split("all")]
        by, count = wanted["by"], wanted["count"]
        method = wanted.get("method", "hash" if hash_splits(session.dialect.name, by, count) else "range")
        if method == "hash":
            splits = hash_splits(session.dialect.name, by, count)
            if not splits:
                raise SourceMisconfigured(
                    f"partitions.method: {session.dialect.name} has no hash function known here; expected range"
                )
            return splits
        return range_splits(session, self._relation(), condition, by, count)

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, partition: Partition, since: Cursor | None) -> Iterator[Rows]:
        """Rows as the driver gives them, some thousands at a time."""
        with self._guarded("read"):
            yield from self._pages(partition, since) if "page" in self._settings else self._stream(partition, since)

    def _stream(self, partition: Partition, since: Cursor | None) -> Iterator[Rows]:
        batch, first = self._settings.get("batch", BATCH_ROWS), 1
        reached = _Reached(partition.spec, since, self._cursor_column)
        with self._session() as session:
            names = self._selected(session)
            statement = self._statement(session, names, partition.spec)
            with closing(stream(session, statement)) as cursor:
                while rows := fetch(cursor, batch):
                    yield self._rows(names, rows, first, reached, last=len(rows) < batch)
                    first += len(rows)
        if first == 1 or (first - 1) % batch == 0:
            yield self._rows(names, [], first, reached, last=True)

    def _pages(self, partition: Partition, since: Cursor | None) -> Iterator[Rows]:
        """Keyset paging: each page is a short transaction of its own."""
        size, first = self._settings["page"], 1
        reached = _Reached(partition.spec, since, self._cursor_column)
        with self._session() as session:
            key = self._page_key(session)
            names = tuple(dict.fromkeys([*self._selected(session), *key]))
        phases = [_is_null, _is_not_null] if self._cursor_column else [None]
        for phase in phases:
            after: Sequence[Any] | None = None
            order = ([self._cursor_column] if phase is _is_not_null and self._cursor_column else []) + list(key)
            while True:
                with self._session() as session:
                    statement = self._page_statement(session, names, partition.spec, phase, order, after).limit(size)
                    result = session.execute(statement)
                    assert result.cursor is not None  # noqa: S101
                    rows = fetch(result.cursor, None)
                if rows:
                    yield self._rows(names, rows, first, reached, last=False)
                    after = [rows[-1][names.index(name)] for name in order]
                    first += len(rows)
                if len(rows) < size:
                    break
        yield self._rows(names, [], first, reached, last=True)

    def _rows(self, names: tuple[str, ...], rows: Sequence[Any], first: int, reached: _Reached, *, last: bool) -> Rows:
        if self._cursor_column is not None:
            reached.advance(names.index(self._cursor_column), rows, last=last)
        return Rows(columns=names, rows=rows, where=self._where, first=first, reached=reached.cursor)

    def combine(self, since: Cursor | None, reached: Sequence[Cursor | None]) -> Cursor | None:
        """The furthest; none of them is beyond the clock at which all partitions were planned."""
        return sql_cursor.newest(since, reached)

    def close(self) -> None:
        """Connections are closed after each use; nothing is kept."""
        if self._lazy_engine is not None:
            self._lazy_engine.dispose()
            self._lazy_engine = None

    # -- statements ----------------------------------------------------------------------------------------------------

    def _relation(self) -> sa.FromClause:
        if "query" in self._settings:
            return sa.text(self._settings["query"].strip().rstrip(";").replace(":", r"\:")).columns().subquery("source")
        schema, _, name = self._settings["table"].rpartition(".")
        return sa.table(name, schema=schema or None)

    def _present(self, session: sa.Connection) -> tuple[str, ...]:
        """The source's columns, asked of the server and not of its catalogue: works for tables, views and queries."""
        if self._columns is None:
            nothing = sa.select(sa.text("*")).select_from(self._relation()).where(sa.text("1=0"))
            self._columns = tuple(session.execute(nothing).keys())
        return self._columns

    def _selected(self, session: sa.Connection) -> tuple[str, ...]:
        """The columns to fetch. Raises SourceColumnsChanged if one is not there."""
        present = self._present(session)
        known = set(present)
        partition = [self._settings["partitions"]["by"]] if "partitions" in self._settings else []
        needed = [*self._wanted, *([self._cursor_column] if self._cursor_column else [])]
        found = {name: _column_of(name, known) for name in [*needed, *partition, *self._settings.get("order_by", [])]}
        missing = [name for name, column in found.items() if column is None]
        if missing:
            raise SourceColumnsChanged(self._where, missing, list(present))
        return tuple(dict.fromkeys(column for name in needed if (column := found[name]) is not None))

    def _condition(self, bounds: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
        if self._cursor_column is None or "type" not in bounds:
            return []
        column: sa.ColumnElement[Any] = sa.column(self._cursor_column)
        kind, conditions = bounds["type"], []
        if "lower" in bounds:
            lower = sql_cursor.decode(kind, bounds["lower"])
            conditions.append(sa.or_(column >= lower, column.is_(None)))
        if kind not in sql_cursor.TIMES:  # times of the future must not wait until then
            conditions.append(sa.or_(column <= sql_cursor.decode(kind, bounds["cap"]), column.is_(None)))
        return conditions

    def _statement(
        self, session: sa.Connection, names: Sequence[str], spec: Mapping[str, Any]
    ) -> sa.Select[*tuple[Any, ...]]:
        order = [self._cursor_column] if self._cursor_column else []
        order += [name for name in self._settings.get("order_by", []) if name not in order]
        return self._filtered(session, names, spec).order_by(*[sa.column(name) for name in order])

    def _filtered(
        self, session: sa.Connection, names: Sequence[str], spec: Mapping[str, Any]
    ) -> sa.Select[*tuple[Any, ...]]:
        conditions = [*self._condition(spec), *Split.from_spec(spec).condition(session.dialect.name)]
        return sa.select(*[sa.column(name) for name in names]).select_from(self._relation()).where(*conditions)

    def _page_statement(
        self,
        session: sa.Connection,
        names: Sequence[str],
        spec: Mapping[str, Any],
        phase: Any,
        order: Sequence[str],
        after: Sequence[Any] | None,
    ) -> sa.Select[*tuple[Any, ...]]:
        statement = self._filtered(session, names, spec).order_by(*[sa.column(name) for name in order])
        if phase is not None:
            statement = statement.where(phase(sa.column(self._cursor_column or "")))
        return statement if after is None else statement.where(_beyond(order, after))

    def _page_key(self, session: sa.Connection) -> Sequence[str]:
        key: Sequence[str] = self._settings.get("page_key") or ()
        if not key and "table" in self._settings:
            schema, _, name = self._settings["table"].rpartition(".")
            key = sa.inspect(session).get_pk_constraint(name, schema or None)["constrained_columns"]
        if not key:
            raise SourceMisconfigured(f"{self._where}: page needs page_key, columns that are unique and never NULL")
        return key

    # -- the server ----------------------------------------------------------------------------------------------------

    def _guarded(self, doing: str) -> Any:
        return errors_of(
            self._connection, f"connection {self._connection.id} ({place(self._connection)}), {doing} {self._where}"
        )

    def _session(self) -> Any:
        return open_session(self._engine, self._timeout)


class _Reached:
    """The cursor that a partition has reached so far."""

    def __init__(self, spec: Mapping[str, Any], since: Cursor | None, column: str | None) -> None:
        self.spec, self.column = spec, column
        self.cursor: Cursor | None = since if column is not None else None

    def advance(self, index: int, rows: Sequence[Any], *, last: bool) -> None:
        """Rows come in the cursor's order, so the last value is the furthest.

        Of times, the last one that is not beyond the source's clock: what a writer stamped in the future must not hide
        rows that others stamp until then.
        """
        kind = self.spec.get("type")
        if kind is None:
            return
        cap = sql_cursor.decode(kind, self.spec["cap"])
        values = (row[index] for row in reversed(rows) if row[index] is not None)
        if kind in sql_cursor.TIMES:
            value = next((value for value in values if type(value) is type(cap) and value <= cap), None)
        else:
            value = cap if last else next(values, None)
        if value is not None:
            self._set(kind, value)

    def _set(self, kind: str, value: Any) -> None:
        clock_then = {"clock": self.spec["cap"]} if kind in sql_cursor.TIMES else {}
        self.cursor = {"column": self.column, "type": kind, "value": sql_cursor.encode(value), **clock_then}


def _column_of(name: str, present: set[str]) -> str | None:
    """The column that holds ``name``: itself, or for a dotted path the (JSON) column it begins with."""
    parts = name.split(".")
    return next((found for end in range(len(parts), 0, -1) if (found := ".".join(parts[:end])) in present), None)


def _is_null(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return column.is_(None)


def _is_not_null(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return column.is_not(None)


def _beyond(order: Sequence[str], after: Sequence[Any]) -> sa.ColumnElement[bool]:
    """``(a, b) > (x, y)`` in words that every dialect knows."""
    alternatives = []
    for end in range(len(order)):
        column: sa.ColumnElement[Any] = sa.column(order[end])
        same = [sa.column(name) == value for name, value in zip(order[:end], after[:end], strict=True)]
        alternatives.append(sa.and_(*same, column > after[end]))
    first: sa.ColumnElement[Any] = sa.column(order[0])
    return sa.and_(first >= after[0], sa.or_(*alternatives))  # the first part alone lets the server use an index
