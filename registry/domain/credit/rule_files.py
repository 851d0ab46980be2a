"""From YAML files to checked rules: every fault of every file is said at once, with file, line and key.

A folder of rules holds ``<edition>.yaml`` files and one ``*.schema.json`` that says how they are written. The hub's
own (``registry/credit_rules``) come first; ``SHUQIAO_CREDIT_RULES`` (paths, separated like ``PATH``) names folders of a
city's own rules, laid out the same (``calendar/2027.yaml``): a file of the same name takes the place of the hub's,
others are added.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from schemas.documents import MAX_BYTES, Document, DocumentError, Key, read_document
from schemas.formats import is_date
from schemas.structure import faults

RULES = Path(__file__).parents[2] / "credit_rules"
"""The rules that come with the hub."""
FOLDERS_VARIABLE = "SHUQIAO_CREDIT_RULES"

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One thing wrong in a rule file: where it stands and what was expected there."""

    path: Path
    line: int
    """1-based; 0 when the whole file is meant."""
    key: str
    """Dotted path of the key, for example ``kinds.penalty.rules[2].grade``; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class RuleFileError(Exception):
    """Rule files are wrong; ``problems`` has every fault found, with file, line and key."""

    def __init__(self, problems: Iterable[RuleProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule file that fits its JSON Schema."""

    path: Path
    data: dict[str, Any]
    digest: str
    """SHA-256 (hexadecimal) of the file: another text is another edition."""
    document: Document

    def problem(self, key: Key, message: str) -> RuleProblem:
        """A fault that the schema cannot see, with its place."""
        return RuleProblem(self.path, self.document.line(key), dotted(key), message)


def read_rule_file(path: Path, schema: Path) -> RuleFile:
    """Read one file and check it against its JSON Schema. Raises RuleFileError with every problem found."""
    content, document = _document(path)
    problems = [
        RuleProblem(path, line, dotted(key), f"stands twice; the first is in line {first}")
        for key, line, first in document.duplicates
    ]
    found = dict.fromkeys(faults(document.data, _schema(schema)))
    problems += [RuleProblem(path, document.line(key), dotted(key), message) for key, message in found]
    problems += [
        RuleProblem(path, document.line(key), dotted(key), f"got {value!r}; expected a day that exists")
        for key, value in _dates(document.data)
        if not is_date(value)
    ]
    if problems:
        raise RuleFileError(sorted(problems, key=lambda problem: problem.line))
    return RuleFile(path, document.data, hashlib.sha256(content).hexdigest(), document)


def read_all(folder: Path, schema: Path, read: Callable[[RuleFile], _Read]) -> list[_Read]:
    """Every ``*.yaml`` of a folder, by name, as ``read`` makes it. Raises RuleFileError with the problems of all.

    Of a folder of the hub's own rules with those of the city.
    """
    found: list[_Read] = []
    problems: list[RuleProblem] = []
    files = {path.name: path for one in rule_folders(folder) for path in one.glob("*.yaml")}
    for _, path in sorted(files.items()):
        try:
            found.append(read(read_rule_file(path, schema)))
        except RuleFileError as error:
            problems += error.problems
    if not found and not problems:
        problems.append(RuleProblem(folder, 0, "", "no rule files (*.yaml) here"))
    if problems:
        raise RuleFileError(problems)
    return found


def rule_folders(folder: Path) -> tuple[Path, ...]:
    """The folder and, if it is of the hub's own rules, the city's of the same name. Raises RuleFileError."""
    if not folder.is_relative_to(RULES):
        return (folder,)
    cities = [Path(name) for name in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if name]
    missing = [
        RuleProblem(city, 0, "", f"no such folder; {FOLDERS_VARIABLE} names it") for city in cities if not city.is_dir()
    ]
    if missing:
        raise RuleFileError(missing)
    return (folder, *(city / folder.relative_to(RULES) for city in cities))


def rule_file(path: Path) -> Path:
    """One of the hub's own files, or the city's of the same name. Raises RuleFileError."""
    there = [folder / path.name for folder in rule_folders(path.parent) if (folder / path.name).is_file()]
    return there[-1] if there else path


def optional_day(text: str | None) -> date | None:
    """A date of a rule file; None: without limit on that side."""
    return None if text is None else date.fromisoformat(text)


def dotted(key: Key) -> str:
    """``kinds.penalty``, ``rules[0].grade``."""
    text = ""
    for step in key:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@lru_cache(maxsize=64)
def _schema(path: Path) -> Mapping[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _document(path: Path) -> tuple[bytes, Document]:
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise RuleFileError([RuleProblem(path, 0, "", f"larger than {MAX_BYTES} bytes: no rule file")])
        document = read_document(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RuleFileError([RuleProblem(path, line, "", "no valid UTF-8; expected a UTF-8 text")]) from None
    except DocumentError as error:
        raise RuleFileError([RuleProblem(path, error.line, "", str(error))]) from None
    except OSError as error:
        raise RuleFileError([RuleProblem(path, 0, "", f"cannot be read: {error.strerror}")]) from None
    if document.data is None:
        raise RuleFileError([RuleProblem(path, 0, "", "the file is empty")])
    return content, document


def _dates(data: Any) -> Iterable[tuple[Key, str]]:
    """What is written where a day stands: the dates of validity, of every rule file the same."""
    if isinstance(data, Mapping):
        for name in ("valid_from", "valid_to"):
            if isinstance(data.get(name), str):
                yield (name,), data[name]
