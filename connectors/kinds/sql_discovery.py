"""What a database has to offer: tables and views, their columns and keys, about how many rows, a few masked values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from connectors.source import DiscoveredField, DiscoveredTable
from schemas.masking import mask

SAMPLES = 3
MOST_TABLES = 500
_SHOWN = 40
_SYSTEM = frozenset({"information_schema", "pg_catalog", "pg_toast", "mysql", "performance_schema", "sys"})


def tables(session: sa.Connection) -> list[DiscoveredTable]:
    """Every table and view outside the system's schemas, at most :data:`MOST_TABLES`."""
    inspector = sa.inspect(session)
    default = inspector.default_schema_name
    found: list[DiscoveredTable] = []
    for schema in _schemas(inspector):
        for name in sorted([*inspector.get_table_names(schema), *inspector.get_view_names(schema)]):
            if len(found) >= MOST_TABLES:
                return found
            shown = name if schema in {None, default} else f"{schema}.{name}"
            columns = inspector.get_columns(name, schema)
            samples = _samples(session, name, schema, [column["name"] for column in columns])
            found.append(
                DiscoveredTable(
                    name=shown,
                    fields=tuple(
                        DiscoveredField(column["name"], str(column["type"]).lower(), samples[column["name"]])
                        for column in columns
                    ),
                    key=tuple(inspector.get_pk_constraint(name, schema)["constrained_columns"]),
                    rows=row_estimate(session, shown),
                )
            )
    return found


def _schemas(inspector: sa.Inspector) -> Sequence[str | None]:
    names = [name for name in inspector.get_schema_names() if name not in _SYSTEM and not name.startswith("pg_")]
    if inspector.dialect.name in {"mysql", "mariadb"}:  # each database is a schema; only the connection's own is meant
        return [inspector.default_schema_name]
    return names or [None]


def _samples(
    session: sa.Connection, name: str, schema: str | None, columns: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    relation = sa.table(name, *[sa.column(column) for column in columns], schema=schema)
    rows = session.execute(sa.select(*relation.columns).limit(SAMPLES)).fetchall() if columns else []
    return {
        column: tuple(dict.fromkeys(_sample(row[number]) for row in rows if row[number] is not None))
        for number, column in enumerate(columns)
    }


def _sample(value: Any) -> str:
    """Numbers, times and flags as they are; texts masked, because nothing here says which of them are personal."""
    if isinstance(value, (bool, int, float, dt.date, dt.datetime)):
        return str(value)[:_SHOWN]
    return mask(str(value)[:_SHOWN])


def row_estimate(session: sa.Connection, table: str) -> int | None:
    """From the server's statistics, not counted; ``None`` where it has none."""
    schema, _, name = table.rpartition(".")
    if session.dialect.name == "postgresql":
        statement = sa.text(
            "select c.reltuples::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where c.relname = :name and n.nspname = coalesce(:schema, current_schema()) and c.reltuples >= 0"
        )
    elif session.dialect.name in {"mysql", "mariadb"}:
        statement = sa.text(
            "select table_rows from information_schema.tables "
            "where table_name = :name and table_schema = coalesce(:schema, database())"
        )
    else:
        return None
    count = session.scalar(statement, {"name": name, "schema": schema or None})
    return None if count is None else int(count)
