"""Permits and penalties made public 双公示, in the columns of an exchange format: rules as data, both editions.

A row has only what the public may see (``readers/<edition>.yaml``). What a format has no column for stays behind;
:func:`not_held` says what that is. Values are text, as tables of front-end databases and CSV have them; empty: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from registry.domain.credit.marks import CHINA
from registry.domain.credit.publicity import Title
from registry.domain.credit.readers import default_reader_rules, view
from registry.domain.credit.record_facts import in_yuan
from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, read_rule_file, rule_folders
from schemas import code_lists

FOLDER = RULES / "double_publicity"
SCHEMA = FOLDER / "double_publicity.schema.json"

Problem = Literal["missing", "too_long", "no_such_code", "not_expressible"]
"""``not_expressible``: an amount that is not in yuan, or not exact in the column's six places of 万元."""
TableName = Literal["penalties", "permits"]
Says = Literal[
    "text", "day", "wan", "penalty_kinds", "status_or_objection", "version_time", "objection_remark", "nothing"
]

OBJECTION = "异议处理中"
"""What the remark says while an objection is open."""
_WAN = Decimal(10_000)
_SMALLEST = Decimal("0.000001")
"""The format's decimal(18,6), in 万元."""
_SEPARATOR = "、"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    title: str
    field: str | None
    """The field of the dataset whose value stands in it; None: none does."""
    says: Says
    codes: Mapping[str, str]
    """Per value of the field what the format writes for it; empty: the value itself."""
    constant: str
    absent: str
    """What stands there for a record without the field."""
    objection: str
    length: int | None
    """The most characters."""
    mandatory: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The columns for one kind of decision."""

    name: TableName
    dataset: str
    identity: tuple[str, ...]
    """By which the platform finds the decision again: all that a withdrawal has of it."""
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One edition of the exchange format."""

    edition: str
    title: Title
    source: str
    date_format: str
    tables: Mapping[TableName, Table]
    digest: str


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why the platform may refuse a row."""

    column: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One decision in the columns of a table."""

    values: Mapping[str, str]
    """By column, in the table's order."""
    problems: tuple[RowProblem, ...]


def exchange_row(
    format_: Format, table: Table, shown: Mapping[str, Any], version_time: datetime, *, disputed: bool
) -> ExchangeRow:
    """A record, with only what the public may see of it (``shown``), in the columns of a table."""
    values: dict[str, str] = {}
    problems: list[RowProblem] = []
    for column in table.columns:
        value, problem = _written(format_, column, shown, version_time, disputed=disputed)
        values[column.name] = value
        if problem is not None:
            problems.append(RowProblem(column.name, problem))
        elif column.mandatory and not value:
            problems.append(RowProblem(column.name, "missing"))
        elif column.length is not None and len(value) > column.length:
            problems.append(RowProblem(column.name, "too_long"))
    return ExchangeRow(values, tuple(problems))


def not_held(table: Table, schema: str) -> tuple[str, ...]:
    """The fields that the public may see of an organisation's decision and that a table has no column for."""
    held = {column.field for column in table.columns}
    hub_only = default_reader_rules().hub_only
    return tuple(sorted(view(schema, "legal_person", "public").fields - held - hub_only))


def load_formats(folder: Path = FOLDER) -> Mapping[str, Format]:
    """The editions by name. Raises RuleFileError with every problem of every file."""
    found: dict[str, Format] = {}
    problems: list[RuleProblem] = []
    files = {path.name: path for one in rule_folders(folder) for path in one.glob("*.yaml")}
    for path in files.values():
        try:
            read = _read(read_rule_file(path, SCHEMA))
        except RuleFileError as error:
            problems += error.problems
        else:
            found[read.edition] = read
    if problems:
        raise RuleFileError(problems)
    return found


@cache
def default_formats() -> Mapping[str, Format]:
    """The editions that come with the hub, and the city's, read once."""
    return load_formats()


def _written(
    format_: Format, column: Column, shown: Mapping[str, Any], version_time: datetime, *, disputed: bool
) -> tuple[str, Problem | None]:
    if column.says == "version_time":
        return version_time.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"), None
    if column.says == "objection_remark":
        return OBJECTION if disputed else "", None
    if column.says == "status_or_objection" and disputed:
        return column.objection, None
    value = None if column.field is None else shown.get(column.field)
    if value is None:
        return column.constant or column.absent, None
    return _value(format_, column, value)


def _value(format_: Format, column: Column, value: Any) -> tuple[str, Problem | None]:
    if column.codes:
        return (column.codes[value], None) if value in column.codes else ("", "no_such_code")
    if column.says == "wan":
        return _in_wan(value)
    if column.says == "day":
        return date.fromisoformat(value).strftime(format_.date_format), None
    if column.says == "penalty_kinds":
        return _SEPARATOR.join(_penalty_kinds()[code] for code in value), None
    return str(value), None


def _in_wan(money: Any) -> tuple[str, Problem | None]:
    """``0.2`` for 2,000 yuan. What the column cannot hold exactly is left out rather than rounded."""
    yuan = in_yuan(money)
    if yuan is None:
        return "", "not_expressible"
    wan = yuan / _WAN
    if wan != wan.quantize(_SMALLEST):
        return "", "not_expressible"
    text = f"{wan:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text), None


@cache
def _penalty_kinds() -> Mapping[str, str]:
    return {entry.code: entry.zh for entry in code_lists.load("penalty_kinds")}


def _read(file: RuleFile) -> Format:
    data = file.data
    problems = list(_problems(file))
    if problems:
        raise RuleFileError(problems)
    tables: dict[TableName, Table] = {name: _table(name, table) for name, table in data["tables"].items()}
    return Format(data["edition"], Title(**data["title"]), data["source"], data["date_format"], tables, file.digest)


def _table(name: TableName, data: Mapping[str, Any]) -> Table:
    columns = tuple(
        Column(
            name=column["name"],
            title=column["title"],
            field=column.get("field"),
            says=column.get("says", "text"),
            codes=column.get("codes", {}),
            constant=column.get("constant", ""),
            absent=column.get("absent", ""),
            objection=column.get("objection", ""),
            length=column.get("length"),
            mandatory=column.get("mandatory", False),
        )
        for column in data["columns"]
    )
    return Table(name, data["dataset"], tuple(data["identity"]), columns)


def _problems(file: RuleFile) -> Iterator[RuleProblem]:
    if file.path.stem != file.data["edition"]:
        got, expected = file.data["edition"], file.path.stem
        yield file.problem(("edition",), f"got {got!r} in {file.path.name}; expected {expected!r}, the file's name")
    for name, table in file.data["tables"].items():
        names = [column["name"] for column in table["columns"]]
        for place, column in enumerate(names):
            if names.index(column) != place:
                yield file.problem(("tables", name, "columns", place), f"{column} stands twice")
        for place, column in enumerate(table["identity"]):
            if column not in names:
                yield file.problem(("tables", name, "identity", place), f"{column} is no column of the table")
