"""A relation in parts that together are the whole: by hash of a column, or by ranges with about equally many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from connectors.kinds import sql_cursor

Conditions = Sequence[sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Split:
    """One part; rows whose column is NULL belong to part 0."""

    label: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """JSON-able, for a partition's spec."""
        return {"split": dict(self.data)} if self.data else {}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Split:
        """The inverse of :meth:`spec`."""
        return cls("", spec.get("split", {}))

    def condition(self, dialect: str) -> list[sa.ColumnElement[bool]]:
        """Which rows belong to this part."""
        if not self.data:
            return []
        column: sa.ColumnElement[Any] = sa.column(self.data["by"])
        if "of" in self.data:
            bucket = _bucket(dialect, column, self.data["of"])
            assert bucket is not None  # noqa: S101
            return [sa.func.coalesce(bucket, 0) == self.data["number"]]
        kind, low, high = self.data["type"], self.data.get("low"), self.data.get("high")
        conditions: list[sa.ColumnElement[bool]] = []
        if high is not None:
            conditions.append(column < sql_cursor.decode(kind, high))
        if low is not None:
            conditions.append(column >= sql_cursor.decode(kind, low))
        whole = sa.and_(sa.true(), *conditions)
        return [sa.or_(whole, column.is_(None)) if low is None else whole]


def hash_splits(dialect: str, by: str, count: int) -> list[Split]:
    """Parts by hash, computed by the server; empty if this dialect's hash is not known here."""
    if _bucket(dialect, sa.column(by), count) is None:
        return []
    return [Split(by, {"by": by, "of": count, "number": number}) for number in range(count)]


def range_splits(
    session: sa.Connection, relation: sa.FromClause, condition: Conditions, by: str, count: int
) -> list[Split]:
    """Parts by ranges between quantiles of the column; fewer than ``count`` where values repeat much."""
    column: sa.ColumnElement[Any] = sa.column(by)
    tile = sa.func.ntile(count).over(order_by=column).label("tile")
    tiles = (
        sa.select(column.label("bound"), tile).select_from(relation).where(*condition, column.is_not(None)).subquery()
    )
    statement = sa.select(sa.func.min(tiles.c.bound)).group_by(tiles.c.tile).order_by(tiles.c.tile)
    starts = list(dict.fromkeys(session.scalars(statement)))[1:]
    if not starts:
        return [Split("all")]
    kind = sql_cursor.kind_of(starts[0])
    bounds = [None, *(sql_cursor.encode(start) for start in starts), None]
    return [Split(by, {"by": by, "type": kind, "low": low, "high": high}) for low, high in pairwise(bounds)]


def _bucket(dialect: str, column: sa.ColumnElement[Any], count: int) -> sa.ColumnElement[Any] | None:
    """A number from 0 to count - 1 that is the same for the same value."""
    number: sa.ColumnElement[Any] = sa.literal_column(str(int(count)))
    if dialect == "postgresql":
        hashed = sa.func.hashtextextended(sa.cast(column, sa.Text), sa.literal_column("0"))
        return sa.func.mod(sa.func.mod(hashed, number) + number, number)
    if dialect in {"mysql", "mariadb"}:
        return sa.func.mod(sa.func.crc32(column), number)
    if dialect == "oracle":
        return sa.func.ora_hash(column, sa.literal_column(str(int(count) - 1)))
    return None
