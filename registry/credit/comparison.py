"""Two cards compared before the new one goes live: who moves from which grade to which, by how much, and why.

Compared are the kept evaluations of both cards, which must be complete and brought up to the registry
(:func:`registry.credit.evaluations.keep`). Everything is read in one snapshot; nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from registry.credit import evaluations
from registry.domain.credit.evaluation import Evaluation, from_stored
from registry.domain.credit.publicity import Title
from registry.domain.credit.scorecard import Scorecard

LARGEST = 10
"""Enterprises that move the most, up and down each, that are shown unless another number is asked for."""


class NotEvaluated(LookupError):  # noqa: N818  (named for what the caller meets)
    """Not all enterprises have been evaluated by one of the cards."""


@dataclass(frozen=True, slots=True)
class FactorMove:
    """What one factor does to all enterprises."""

    name: str
    title: Title
    weights: tuple[int | None, int | None]
    """By the first and by the second card; None: it has no such factor."""
    up: int
    """Enterprises to which it gives more points than before."""
    down: int
    points: int
    """The sum of all differences."""


@dataclass(frozen=True, slots=True)
class Mover:
    """One enterprise with both evaluations."""

    entity: str
    before: Evaluation
    after: Evaluation

    @property
    def difference(self) -> int:
        """Of the scores."""
        return self.after.score - self.before.score

    @property
    def why(self) -> tuple[tuple[str, int], ...]:
        """The factors with other points than before, and the difference; the greatest first."""
        points = {factor.name: -factor.points for factor in self.before.factors}
        for factor in self.after.factors:
            points[factor.name] = points.get(factor.name, 0) + factor.points
        moved = [(name, difference) for name, difference in points.items() if difference]
        return tuple(sorted(moved, key=lambda each: (-abs(each[1]), each[0])))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One card and another over the same enterprises."""

    one: Scorecard
    other: Scorecard
    enterprises: int
    """Evaluated by both."""
    only: tuple[int, int]
    """Evaluated by the first one, or the second one, alone: registered or gone since one of them was brought up."""
    grades: Mapping[tuple[str, str], int]
    """How many enterprises have the one grade by the first card and the other by the second."""
    points: int
    """The sum of all differences of scores."""
    factors: tuple[FactorMove, ...]
    largest: tuple[Mover, ...]
    """Those that move the most in score: downwards, then upwards."""

    @property
    def by_grade(self) -> dict[str, tuple[int, int]]:
        """How many enterprises have each grade, by the first and by the second card."""
        codes = dict.fromkeys([grade.code for card in (self.one, self.other) for grade in card.grades])
        return {
            code: (
                sum(count for (before, _), count in self.grades.items() if before == code),
                sum(count for (_, after), count in self.grades.items() if after == code),
            )
            for code in codes
        }

    @property
    def better(self) -> int:
        """How many get a better grade."""
        return self._moved(-1)

    @property
    def worse(self) -> int:
        """How many get a worse grade."""
        return self._moved(1)

    def _moved(self, direction: int) -> int:
        """Grades count by their place in their own card, the best one first."""
        places = [{grade.code: number for number, grade in enumerate(card.grades)} for card in (self.one, self.other)]
        return sum(
            count
            for (before, after), count in self.grades.items()
            if (places[1][after] - places[0][before]) * direction > 0
        )


def compare(connection: psycopg.Connection, one: Scorecard, other: Scorecard, *, largest: int = LARGEST) -> Comparison:
    """Compare the kept evaluations by two cards. Raises NotEvaluated. The connection is in autocommit."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for card in (one, other):
            _check_complete(connection, card)
        grades, points = _grades(connection, one, other)
        return Comparison(
            one=one,
            other=other,
            enterprises=sum(grades.values()),
            only=(_alone(connection, one, other), _alone(connection, other, one)),
            grades=grades,
            points=points,
            factors=_factors(connection, one, other),
            largest=(
                *_largest(connection, one, other, largest, "ASC"),
                *_largest(connection, one, other, largest, "DESC"),
            ),
        )


_BOTH = """
FROM registry.evaluation a JOIN registry.evaluation b ON b.entity = a.entity
WHERE a.scorecard = %(one)s AND a.version = %(one_version)s
AND b.scorecard = %(other)s AND b.version = %(other_version)s
"""


def _names(one: Scorecard, other: Scorecard) -> dict[str, Any]:
    return {
        "one": one.name,
        "one_version": one.version,
        "other": other.name,
        "other_version": other.version,
    }


def _check_complete(connection: psycopg.Connection, card: Scorecard) -> None:
    found = evaluations.progress(connection, card)
    if not found.parts or found.parts_done < found.parts:
        raise NotEvaluated(f"not all enterprises have been evaluated by {card.reference}")


def _grades(connection: psycopg.Connection, one: Scorecard, other: Scorecard) -> tuple[dict[tuple[str, str], int], int]:
    rows = connection.execute(
        f"SELECT a.grade, b.grade, count(*), sum(b.score - a.score)::bigint {_BOTH}"
        " GROUP BY 1, 2 ORDER BY 1, 2".encode(),
        _names(one, other),
    ).fetchall()
    return {(before, after): count for before, after, count, _ in rows}, sum(points for *_, points in rows)


def _alone(connection: psycopg.Connection, one: Scorecard, other: Scorecard) -> int:
    row = connection.execute(
        """
        SELECT count(*) FROM registry.evaluation a WHERE a.scorecard = %(one)s AND a.version = %(one_version)s
        AND NOT EXISTS (SELECT FROM registry.evaluation b WHERE b.entity = a.entity
            AND b.scorecard = %(other)s AND b.version = %(other_version)s)
        """,
        _names(one, other),
    ).fetchone()
    return int(row[0]) if row else 0


def _factors(connection: psycopg.Connection, one: Scorecard, other: Scorecard) -> tuple[FactorMove, ...]:
    """All factors in one pass over the evaluations."""
    ours = {factor.name: factor for factor in one.factors}
    theirs = {factor.name: factor for factor in other.factors}
    names = list(dict.fromkeys([*ours, *theirs]))
    difference = sql.SQL(
        "coalesce((b.factors->{0}->>'points')::int, 0) - coalesce((a.factors->{0}->>'points')::int, 0)"
    )
    differences = sql.SQL(", ").join(
        difference.format(sql.Literal(name)) + sql.SQL(" AS ") + sql.Identifier(f"f{number}")
        for number, name in enumerate(names)
    )
    sums = sql.SQL(", ").join(
        sql.SQL(
            "count(*) FILTER (WHERE {0} > 0), count(*) FILTER (WHERE {0} < 0), coalesce(sum({0}), 0)::bigint"
        ).format(sql.Identifier(f"f{number}"))
        for number in range(len(names))
    )
    query = sql.SQL("SELECT {} FROM (SELECT {} {}) d").format(sums, differences, sql.SQL(_BOTH))
    row: Sequence[int] = connection.execute(query, _names(one, other)).fetchone() or ()
    return tuple(
        FactorMove(
            name,
            (theirs.get(name) or ours[name]).title,
            (ours[name].weight if name in ours else None, theirs[name].weight if name in theirs else None),
            *row[3 * number : 3 * number + 3],
        )
        for number, name in enumerate(names)
    )


def _largest(connection: psycopg.Connection, one: Scorecard, other: Scorecard, limit: int, order: str) -> list[Mover]:
    """``ASC``: those that lose the most points."""
    way = sql.SQL("AND b.score - a.score {} 0 ORDER BY b.score - a.score {}, a.entity LIMIT {}").format(
        sql.SQL("<" if order == "ASC" else ">"), sql.SQL(order), sql.Literal(limit)
    )
    columns = sql.SQL(", ").join(
        sql.SQL("{0}.day, {0}.factors, {0}.input_digest, {0}.changes_on").format(sql.Identifier(table))
        for table in ("a", "b")
    )
    rows = connection.execute(
        sql.SQL("SELECT a.entity, {} {} {}").format(columns, sql.SQL(_BOTH), way), _names(one, other)
    )
    return [Mover(row[0], from_stored(one, *row[1:5]), from_stored(other, *row[5:9])) for row in rows]
