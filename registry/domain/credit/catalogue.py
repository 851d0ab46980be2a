"""The catalogue of public credit information 公共信用信息目录: what may enter a credit record at all.

Editions are data (``catalogue/<edition>.yaml``), one in force on each day. What no class of that day's edition names,
the city's own supplement 补充目录 included, stays out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

from registry.domain.credit.publicity import Title
from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, optional_day, read_all

EDITIONS = RULES / "catalogue"
"""The editions that come with the hub."""
SCHEMA = EDITIONS / "catalogue.schema.json"


class OutsideCatalogue(LookupError):  # noqa: N818  (named for what the caller meets)
    """A dataset's records may not enter a credit record on a day."""


@dataclass(frozen=True, slots=True)
class CatalogueClass:
    """One class of public credit information."""

    number: int
    code: str
    title: Title
    supplement: bool
    """Whether it comes from the local supplement, not from the national catalogue."""
    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of the catalogue."""

    name: str
    title: Title
    valid_from: date | None
    valid_to: date | None
    """The last day on which it is in force."""
    source: str
    classes: tuple[CatalogueClass, ...]
    outside: Mapping[str, Title]
    """Datasets that enter no credit record by decision, and why."""
    by_dataset: Mapping[str, CatalogueClass]
    digest: str

    def covers(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class CreditCatalogue:
    """All editions, by day: without gap, without overlap."""

    editions: tuple[Edition, ...]

    def on(self, day: date) -> Edition:
        """The edition in force. Raises OutsideCatalogue where there is none: then nothing may enter."""
        for edition in self.editions:
            if edition.covers(day):
                return edition
        raise OutsideCatalogue(f"no edition of the catalogue is in force on {day}")

    def class_of(self, dataset: str, day: date) -> CatalogueClass | None:
        """The class that a dataset's records belong to on a day; None: they may not enter a credit record."""
        return self.on(day).by_dataset.get(dataset)

    def required_class(self, dataset: str, day: date) -> CatalogueClass:
        """:meth:`class_of`; raises OutsideCatalogue where there is none."""
        edition = self.on(day)
        found = edition.by_dataset.get(dataset)
        if found is None:
            raise OutsideCatalogue(f"{dataset!r} is in no class of the catalogue, edition {edition.name}: it stays out")
        return found


def load_credit_catalogue(folder: Path = EDITIONS) -> CreditCatalogue:
    """The editions of a folder. Raises RuleFileError with every problem of every file."""
    found = read_all(folder, SCHEMA, _read_edition)
    found.sort(key=lambda edition: edition.valid_from or date.min)
    problems = list(_span_problems(folder, found))
    if problems:
        raise RuleFileError(problems)
    return CreditCatalogue(tuple(found))


@cache
def default_credit_catalogue() -> CreditCatalogue:
    """The editions that come with the hub, read once."""
    return load_credit_catalogue()


def _read_edition(file: RuleFile) -> Edition:
    data = file.data
    problems = list(_class_problems(file))
    if problems:
        raise RuleFileError(problems)
    classes = tuple(
        CatalogueClass(
            number=found["number"],
            code=found["code"],
            title=Title(**found["title"]),
            supplement=found.get("supplement", False),
            datasets=tuple(found["datasets"]),
        )
        for found in data["classes"]
    )
    return Edition(
        name=data["edition"],
        title=Title(**data["title"]),
        valid_from=optional_day(data["valid_from"]),
        valid_to=optional_day(data["valid_to"]),
        source=data["source"],
        classes=classes,
        outside={dataset: Title(**reason) for dataset, reason in data.get("outside", {}).items()},
        by_dataset={dataset: found for found in classes for dataset in found.datasets},
        digest=file.digest,
    )


def _class_problems(file: RuleFile) -> Iterator[RuleProblem]:
    data = file.data
    if file.path.stem != data["edition"]:
        yield file.problem(("edition",), f"got {data['edition']!r} in {file.path.name}; expected the file's name")
    codes: dict[str, int] = {}
    homes: dict[str, str] = {}
    for place, found in enumerate(data["classes"]):
        if found["number"] != place + 1:
            yield file.problem(("classes", place, "number"), f"got {found['number']}; expected {place + 1}")
        first = codes.setdefault(found["code"], place)
        if first != place:
            yield file.problem(("classes", place, "code"), f"{found['code']!r} is also classes[{first}]")
        for number, dataset in enumerate(found["datasets"]):
            home = homes.setdefault(dataset, found["code"])
            if dataset in data.get("outside", {}):
                key = ("classes", place, "datasets", number)
                yield file.problem(key, f"{dataset!r} is also named under outside; expected it in one place")
            if home != found["code"]:
                key = ("classes", place, "datasets", number)
                yield file.problem(key, f"{dataset!r} is also in the class {home!r}; expected it in one")


def _span_problems(folder: Path, editions: list[Edition]) -> Iterator[RuleProblem]:
    for before, after in pairwise(editions):
        expected = None if before.valid_to is None else before.valid_to + timedelta(days=1)
        if after.valid_from is None or after.valid_from != expected:
            message = f"begins on {after.valid_from}; expected the day after the last one of {before.name}"
            yield RuleProblem(folder / f"{after.name}.yaml", 0, "valid_from", f"{message}, {before.valid_to}")
