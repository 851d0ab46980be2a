"""Code lists: versioned data with the dates between which each code was valid.

A list is a CSV file ``code_lists/<name>.csv`` with the columns ``code, zh, en, parent, valid_from, valid_to``: an
empty ``valid_from`` means "for as long as the list knows", an empty ``valid_to`` "still". Lines before the header that
start with ``#`` say where the list comes from and which edition it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

from schemas.errors import SchemaError, UnknownCodeList

_FOLDER = Path(__file__).parent / "code_lists"
_COLUMNS = ["code", "zh", "en", "parent", "valid_from", "valid_to"]


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of a code list; a code that was used twice has two entries."""

    code: str
    zh: str
    en: str
    parent: str | None
    valid_from: date | None
    valid_to: date | None
    """The last day on which it was valid."""

    def valid_on(self, day: date) -> bool:
        """Whether the code was valid on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class CodeList:
    """A named list of codes, with those that are no longer valid: old records keep the codes of their time."""

    name: str
    source: str
    entries: tuple[Code, ...]

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every code, valid now or once."""
        return frozenset(entry.code for entry in self.entries)

    @cached_property
    def _by_code(self) -> dict[str, list[Code]]:
        found: dict[str, list[Code]] = {}
        for entry in self.entries:
            found.setdefault(entry.code, []).append(entry)
        return found

    def __contains__(self, code: object) -> bool:
        return code in self.codes

    def __iter__(self) -> Iterator[Code]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, code: str, on: date | None = None) -> Code | None:
        """The entry of a code as it was on a day; without a day the newest one."""
        entries = self._by_code.get(code, [])
        if on is None:
            return max(entries, key=lambda entry: (entry.valid_to is None, entry.valid_to), default=None)
        return next((entry for entry in entries if entry.valid_on(on)), None)

    def title(self, code: str, on: date | None = None) -> tuple[str, str] | None:
        """What the code means, in Chinese and English."""
        entry = self.find(code, on)
        return (entry.zh, entry.en or entry.zh) if entry else None

    def children(self, code: str, on: date | None = None) -> list[Code]:
        """The codes right below this one, valid on that day if one is given."""
        return [entry for entry in self.entries if entry.parent == code and (on is None or entry.valid_on(on))]

    def path(self, code: str, on: date | None = None) -> list[Code]:
        """The entry of a code with those above it, from the top."""
        found: list[Code] = []
        entry = self.find(code, on)
        while entry is not None and entry not in found:
            found.insert(0, entry)
            entry = self.find(entry.parent, on) if entry.parent else None
        return found


def names() -> list[str]:
    """The names of all code lists."""
    return sorted(path.stem for path in _FOLDER.glob("*.csv"))


@lru_cache(maxsize=64)
def load(name: str) -> CodeList:
    """The code list of this name, read once."""
    path = _FOLDER / f"{name}.csv"
    if name not in names():
        raise UnknownCodeList(f"no code list {name!r}; there are {', '.join(names())}")
    return read(path)


def read(path: Path) -> CodeList:
    """Read a code list from its file; a wrong line is named."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    if rows.fieldnames != _COLUMNS:
        raise SchemaError(f"{path}: columns are {rows.fieldnames}, expected {_COLUMNS}")
    entries = tuple(_entry(path, len(comments) + rows.line_num, row) for row in rows)
    return CodeList(path.stem, "\n".join(line.lstrip("# ") for line in comments), entries)


def _entry(path: Path, line: int, row: dict[str, str | None]) -> Code:
    try:
        return Code(
            code=str(row["code"]),
            zh=str(row["zh"]),
            en=row["en"] or "",
            parent=row["parent"] or None,
            valid_from=date.fromisoformat(row["valid_from"]) if row["valid_from"] else None,
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        )
    except ValueError as error:
        raise SchemaError(f"{path}:{line}: {error}") from error
