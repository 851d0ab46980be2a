"""A manifest's mapping: compiled once, bound to a source's columns, applied to thousands of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from connectors.errors import ManifestError, ManifestProblem, SourceColumnsChanged
from connectors.manifest.model import Manifest
from connectors.manifest.rules import columns_of
from connectors.mapping import text as texts
from connectors.mapping.fields import Field
from connectors.mapping.refusal import Problem, Refusal
from connectors.mapping.rules import call, compile_field, load_function
from schemas import catalogue

Row = Sequence[Any]
Records = list[dict[str, Any] | None]
Problems = dict[int, list[Problem]]


@dataclass(frozen=True, slots=True)
class _Target:
    """One field of the record and how it is made."""

    path: tuple[str, ...]
    columns: tuple[str, ...]
    optional: bool
    combine: str
    separator: str
    function: Callable[..., Any] | None
    field: Field | None
    """``None``: a constant."""
    default: Any
    """The constant, or what stands for no value."""
    personal: bool

    @property
    def pointer(self) -> str:
        return "/" + "/".join(self.path)


class Mapping:
    """What a manifest maps, before the source's columns are known."""

    def __init__(self, manifest: Manifest, targets: Sequence[_Target]) -> None:
        self.manifest, self.targets = manifest, tuple(targets)
        source = manifest.source
        flags = [flag.column for flag in (source.operation, source.tombstone) if flag is not None]
        read = [column for target in targets for column in target.columns]
        self.source_columns: tuple[str, ...] = tuple(dict.fromkeys([*read, *source.row_id, *flags]))
        """Everything that is read of a row: by the rules, the row id, the operation flag or tombstone."""
        self._optional = {column for target in targets if target.optional for column in target.columns}

    def bind(self, columns: Sequence[str]) -> BoundMapping:
        """Ready for rows with these columns. Raises SourceColumnsChanged if one that is needed is not there."""
        readers = {column: _reader(column, columns) for column in self.source_columns}
        missing = [name for name, reader in readers.items() if reader is None and name not in self._optional]
        if missing:
            raise SourceColumnsChanged(self.manifest.connector, missing, list(columns))
        return BoundMapping(self, {name: reader for name, reader in readers.items() if reader is not None})


def compile_mapping(manifest: Manifest) -> Mapping:
    """Raises ManifestError if a function that the manifest names cannot be loaded."""
    personal = set(catalogue.personal_fields(manifest.schema))
    targets, problems = [], []
    for name, rule in manifest.mapping.items():
        try:
            targets.append(_target(name, rule, manifest, personal))
        except ValueError as error:
            problems.append(ManifestProblem(manifest.path, 0, f"mapping.{name}.function", str(error)))
    if problems:
        raise ManifestError(problems)
    return Mapping(manifest, targets)


def _target(name: str, rule: MappingType[str, Any], manifest: Manifest, personal: set[str]) -> _Target:
    path = tuple(name.split("."))
    above = {"/" + "/".join(path[: depth + 1]) for depth in range(len(path))}
    field = None
    if "constant" not in rule:
        field = compile_field(
            rule, timezone=manifest.timezone, empty=manifest.empty, max_bytes=manifest.limits.max_field
        )
    return _Target(
        path=path,
        columns=columns_of(rule),
        optional=bool(rule.get("optional")),
        combine=rule.get("combine", "join"),
        separator="" if rule.get("as") == "list" else rule.get("separator", ""),
        function=load_function(rule["function"]) if "function" in rule else None,
        field=field,
        default=rule.get("constant", rule.get("default")),
        personal=bool(above & personal),
    )


class _ColumnsOf:
    """Rows as columns, for who needs one of them only."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __getitem__(self, number: int) -> list[Any]:
        return [row[number] for row in self._rows]


Reader = Callable[[Sequence[Sequence[Any]] | _ColumnsOf], Sequence[Any]]


def _reader(name: str, columns: Sequence[str]) -> Reader | None:
    """How to find a column (or a dotted path within one) among the source's; ``None`` if it is not there."""
    index = {column: number for number, column in enumerate(columns)}
    if name in index:
        number = index[name]
        return lambda table: table[number]
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        parent = ".".join(parts[:length])
        if parent in index:
            number, path = index[parent], parts[length:]
            return lambda table: [_inner(value, path) for value in table[number]]
    return None


def _inner(value: Any, path: Sequence[str]) -> Any:
    if isinstance(value, str) and value[:1] in "{[":
        try:
            value = json.loads(value)
        except ValueError:
            return Refusal("mapping.value", value, "JSON 对象", "a JSON object")
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal():
            value = next(iter(value[int(step[:9]) :]), None)
        else:
            return None
    return value


class BoundMapping:
    """A mapping that knows where its columns stand. Not for use by two threads at once."""

    def __init__(self, mapping: Mapping, readers: MappingType[str, Reader]) -> None:
        self._mapping, self._readers = mapping, readers
        key = set(mapping.manifest.key)
        self._key_targets = tuple(target for target in mapping.targets if target.path[0] in key)

    def apply(self, rows: Sequence[Row]) -> tuple[Records, Problems]:
        """Records aligned with the rows; ``None`` where the row is refused, with all that is wrong with it.

        Records that have an object in common (an amount of money, say) may share it: they are for reading.
        """
        return self._apply(rows, self._mapping.targets)

    def keys(self, rows: Sequence[Row]) -> tuple[Records, Problems]:
        """Like :meth:`apply` for the key fields alone: a row that only says "deleted" need hold nothing else."""
        return self._apply(rows, self._key_targets)

    def deletions(self, rows: Sequence[Row]) -> list[bool] | None:
        """Which rows say that their record is deleted; ``None`` if this source never says so."""
        source = self._mapping.manifest.source
        if not rows or (source.operation is None and source.tombstone is None):
            return None
        table = _ColumnsOf(rows)
        if source.operation is not None:
            delete = source.operation.delete
            return [mark in delete for mark in _flags(self._readers[source.operation.column](table))]
        assert source.tombstone is not None  # noqa: S101
        marks = _flags(self._readers[source.tombstone.column](table))
        values = source.tombstone.values
        return [mark != "" if values is None else mark in values for mark in marks]

    def _apply(self, rows: Sequence[Row], targets: Sequence[_Target]) -> tuple[Records, Problems]:
        if not rows:
            return [], {}
        table = list(zip(*rows, strict=True))
        problems: Problems = {}
        outputs = [self._column(target, table, len(rows), problems) for target in targets]
        records: Records = list(_records([target.path for target in targets], outputs))
        for number in problems:
            records[number] = None
        return records, problems

    def _column(self, target: _Target, table: Sequence[Sequence[Any]], count: int, problems: Problems) -> list[Any]:
        if target.field is None:
            return [target.default] * count
        found = target.field.apply(self._input(target, table, count))
        if target.field.refused:
            for number, value in enumerate(found):
                if type(value) is Refusal:
                    problem = value.problem(target.pointer, personal=target.personal)
                    problems.setdefault(number, []).append(problem)
        if target.default is not None:
            return [target.default if value is None else value for value in found]
        return found

    def _input(self, target: _Target, table: Sequence[Sequence[Any]], count: int) -> Sequence[Any]:
        columns = [self._readers[name](table) if name in self._readers else [None] * count for name in target.columns]
        if target.function is not None:
            return [call(target.function, values) for values in zip(*columns, strict=True)]
        if len(columns) == 1:
            return columns[0]
        combine = _first if target.combine == "first" else _join
        return [combine(values, target.separator) for values in zip(*columns, strict=True)]


def _join(values: Sequence[Any], separator: str) -> Any:
    parts = [texts.as_text(value) for value in values if value is not None]
    refusal = next((part for part in parts if isinstance(part, Refusal)), None)
    return refusal or separator.join(part.strip() for part in parts if isinstance(part, str) and part.strip())


def _first(values: Sequence[Any], _: str) -> Any:
    for value in values:
        if value is not None and not (isinstance(value, str) and value.strip() in {"", *texts.DEFAULT_EMPTY}):
            return value
    return None


def _flags(values: Sequence[Any]) -> list[str]:
    """:func:`_flag` of each; there are few different ones."""
    if set(map(type, values)) == {str}:
        known = {value: _flag(value) for value in set(values)}
        return [known[value] for value in values]
    return [_flag(value) for value in values]


def _flag(value: Any) -> str:
    """A flag or an identifier as plain text, whatever its type at the source."""
    if value is None:
        return ""
    found = texts.as_text(value)
    return found.strip() if isinstance(found, str) else ""


def _records(paths: Sequence[tuple[str, ...]], outputs: Sequence[list[Any]]) -> list[dict[str, Any]]:
    """Columns to records without the fields that have no value; dotted targets become objects."""
    names, columns = _nested(paths, outputs)
    records = [dict(zip(names, row)) for row in zip(*columns)]  # noqa: B905  (strict costs a third more here)
    for name, column in zip(names, columns, strict=True):
        if not all(column):  # looks at them much faster than the next line
            for number in [number for number, value in enumerate(column) if value is None]:
                del records[number][name]
    return records


def _nested(paths: Sequence[tuple[str, ...]], outputs: Sequence[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    groups: dict[str, list[int]] = {}
    for number, path in enumerate(paths):
        groups.setdefault(path[0], []).append(number)
    columns: list[list[Any]] = []
    for members in groups.values():
        if len(paths[members[0]]) == 1:
            columns.append(outputs[members[0]])
        else:
            inner = _records([paths[number][1:] for number in members], [outputs[number] for number in members])
            columns.append([record or None for record in inner])
    return list(groups), columns
