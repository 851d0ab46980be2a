"""The contract of a source kind, as checks that authors of kinds run in their own tests.

::

    def test_contract(server):
        source = MySource(settings, connection, columns=["id", "name"])
        assert_source_contract(source, rows_expected=1200)

Each check raises AssertionError with a sentence. They need a source with rows in it that does not change meanwhile.
"""

# ruff: noqa: S101  (asserts are what this module is for)

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jsonschema

from connectors.errors import SourceMisconfigured, SourceUnavailable
from connectors.source import Cursor, Partition, Rows, Source

Row = tuple[Any, ...]


def assert_settings_schema(
    kind: type[Source], good: Sequence[Mapping[str, Any]], bad: Sequence[Mapping[str, Any]]
) -> None:
    """The kind's ``settings_schema`` is a JSON Schema that takes the good settings and refuses the bad ones."""
    jsonschema.Draft202012Validator.check_schema(dict(kind.settings_schema))
    validator = jsonschema.Draft202012Validator(dict(kind.settings_schema))
    for settings in good:
        errors = [error.message for error in validator.iter_errors(dict(settings))]
        assert not errors, f"good settings {dict(settings)} are refused: {errors}"
    for settings in bad:
        assert not validator.is_valid(dict(settings)), f"bad settings {dict(settings)} are accepted"


def assert_source_contract(source: Source, *, rows_expected: int | None = None) -> Cursor | None:
    """All that a Source must hold to, on one full read and the run after it. Returns the cursor reached."""
    assert source.check().strip(), "check() must say in a sentence what it found"
    partitions = source.partitions(None)
    assert_partitions(partitions)
    first, reached = _read_all(source, partitions, None)
    again, reached_again = _read_all(source, [_stored(partition) for partition in partitions], None)
    assert first == again, "read() of the same partitions gave other rows the second time: a retry must give the same"
    assert reached == reached_again, "read() of the same partitions reached another cursor the second time"
    if rows_expected is not None:
        assert sum(first.values()) == rows_expected, f"{sum(first.values())} rows were read; expected {rows_expected}"
    cursor = source.combine(None, reached)
    assert cursor == source.combine(None, reached), "combine() must be pure"
    _assert_json(cursor, "the cursor")
    assert source.combine(cursor, []) == cursor, "combine() without anything read must keep the cursor"
    next_rows, next_reached = _read_all(source, source.partitions(cursor), cursor)
    assert not next_rows - first, "the run after a full read gave rows that the full read had not"
    _assert_json(source.combine(cursor, next_reached), "the next cursor")
    source.close()
    source.close()
    return cursor


def assert_partitions(partitions: Sequence[Partition]) -> None:
    """Numbered from 0, and what they carry survives being stored as JSON."""
    assert partitions, "partitions(None) is empty: this check needs a source that has rows"
    assert [partition.number for partition in partitions] == list(range(len(partitions))), "partitions count from 0"
    for partition in partitions:
        assert partition.label, "a partition needs a label for people"
        _assert_json(dict(partition.spec), f"the spec of {partition.label}")


def assert_rows(rows: Rows) -> None:
    """One batch is well formed."""
    assert rows.where, "Rows.where must say where the rows stand"
    assert len(set(rows.columns)) == len(rows.columns), f"columns stand twice: {rows.columns}"
    wrong = [rows.place(index) for index, row in enumerate(rows.rows) if len(row) != len(rows.columns)]
    assert not wrong, f"rows with another number of values than columns: {wrong[:5]}"
    if rows.numbers is not None:
        assert len(rows.numbers) == len(rows.rows), "Rows.numbers must have one number for each row"
    for refused in rows.refused:
        assert all((refused.place, refused.rule, refused.zh, refused.en)), f"a refused row says too little: {refused}"
        _assert_json(dict(refused.raw), f"the raw form of {refused.place}")
    _assert_json(rows.reached, "Rows.reached")


def assert_unavailable(make: Callable[[], Source]) -> None:
    """A source that does not answer raises SourceUnavailable, wherever it is asked."""
    _assert_raises(make, SourceUnavailable)


def assert_misconfigured(make: Callable[[], Source]) -> None:
    """A source that answers otherwise than the manifest says raises SourceMisconfigured, wherever it is asked."""
    _assert_raises(make, SourceMisconfigured)


def assert_no_secret(text: str, *secrets: str) -> None:
    """For messages, logs and reprs."""
    assert not any(secret and secret in text for secret in secrets), "a secret shows in a text for people"


def rows_of(source: Source, since: Cursor | None = None) -> tuple[list[dict[str, Any]], Cursor | None]:
    """One whole run: every row as a dict, and the cursor after it."""
    found: list[dict[str, Any]] = []
    reached = []
    for partition in source.partitions(since):
        last: Cursor | None = None
        for rows in source.read(partition, since):
            assert_rows(rows)
            found += [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
            last = rows.reached
        reached.append(last)
    return found, source.combine(since, reached)


def _read_all(
    source: Source, partitions: Sequence[Partition], since: Cursor | None
) -> tuple[Counter[str], list[Cursor | None]]:
    counts: Counter[str] = Counter()
    reached = []
    for partition in partitions:
        batches = 0
        last: Cursor | None = None
        for rows in source.read(partition, since):
            assert_rows(rows)
            counts.update(map(repr, rows.rows))
            last, batches = rows.reached, batches + 1
        assert batches, f"read() of {partition.label} yielded nothing; expected at least one (empty) Rows"
        reached.append(last)
    return counts, reached


def _stored(partition: Partition) -> Partition:
    """The partition as a retry in another process gets it."""
    return Partition(partition.number, partition.label, json.loads(json.dumps(dict(partition.spec))))


def _assert_raises(make: Callable[[], Source], expected: type[Exception]) -> None:
    calls: Mapping[str, Callable[[Source], Any]] = {
        "check()": lambda source: source.check(),
        "partitions()": lambda source: source.partitions(None),
        "read()": lambda source: list(_first_partition(source)),
    }
    for name, call in calls.items():
        source = make()
        try:
            call(source)
        except expected:
            continue
        except Exception as error:
            raise AssertionError(
                f"{name} raised {type(error).__name__} ({error}); expected {expected.__name__}"
            ) from error
        finally:
            source.close()
        raise AssertionError(f"{name} raised nothing; expected {expected.__name__}")


def _first_partition(source: Source) -> Iterator[Rows]:
    for partition in source.partitions(None)[:1]:
        yield from source.read(partition, None)


def _assert_json(value: Any, what: str) -> None:
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{what} cannot be kept as JSON: {error}") from error
    assert same, f"{what} is not the same after being kept as JSON: {value}"
