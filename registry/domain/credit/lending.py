"""What lenders get with an enterprise's consent: data items as data (``lending/<edition>.yaml``).

An item is what a consent names. It stands for datasets, and for the fields of each that leave: a field that a dataset's
schema gets later does not leave by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.publicity import Title
from registry.domain.credit.readers import Reader
from registry.domain.credit.report import HeldRecord, body_for
from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, read_rule_file, rule_file
from schemas.catalogue import Catalogue, default_catalogue

LENDING = RULES / "lending" / "1.yaml"
SCHEMA = RULES / "lending" / "lending.schema.json"
READER: Reader = "authorised_bank"
"""As whom a lender with a consent reads."""


@dataclass(frozen=True, slots=True)
class LendingItem:
    """One data item."""

    name: str
    title: Title
    evaluation: bool
    """Whether it is the enterprise's grade by the scorecards."""
    datasets: Mapping[str, tuple[str, ...]]
    """Per dataset the fields that leave."""


@dataclass(frozen=True, slots=True)
class LendingRules:
    """One edition of the data items and the purposes for which lenders get them."""

    edition: str
    source: str
    purposes: Mapping[str, Title]
    items: Mapping[str, LendingItem]
    digest: str

    def datasets_of(self, items: Collection[str]) -> frozenset[str]:
        """The datasets that some items stand for."""
        return frozenset(dataset for name in items for dataset in self.items[name].datasets)

    def expect_known(self, items: Collection[str], purpose: str) -> None:
        """Refuse a consent in words that no rule knows, which nobody could ever use. Raises CreditRefused."""
        unknown = sorted(set(items) - set(self.items))
        if unknown:
            names, known = ", ".join(unknown), ", ".join(self.items)
            raise CreditRefused(
                "consent_items",
                f"没有数据项 {names}；应为 {known}",
                f"there are no items {names}; expected some of {known}",
            )
        if purpose not in self.purposes:
            known = ", ".join(self.purposes)
            raise CreditRefused(
                "consent_purpose",
                f"没有用途 {purpose!r}；应为 {known}",
                f"there is no purpose {purpose!r}; expected one of {known}",
            )


def lent_body(held: HeldRecord, item: LendingItem) -> dict[str, Any]:
    """What leaves of a record: the item's fields, less what its reader may not see. Raises UnknownSchema."""
    wanted = item.datasets[held.record.dataset]
    shown = body_for(held, READER)
    return {name: shown[name] for name in wanted if name in shown}


def load_lending_rules(path: Path = LENDING) -> LendingRules:
    """One edition of the items. Raises RuleFileError with every problem of the file."""
    file = read_rule_file(rule_file(path), SCHEMA)
    problems = list(_problems(file, default_catalogue()))
    if problems:
        raise RuleFileError(problems)
    data = file.data
    return LendingRules(
        edition=data["edition"],
        source=data["source"],
        purposes={name: Title(**title) for name, title in data["purposes"].items()},
        items={name: _item(name, item) for name, item in data["items"].items()},
        digest=file.digest,
    )


@cache
def default_lending_rules() -> LendingRules:
    """The items that come with the hub, or the city's, read once."""
    return load_lending_rules()


def _item(name: str, data: Mapping[str, Any]) -> LendingItem:
    return LendingItem(
        name=name,
        title=Title(**data["title"]),
        evaluation=data.get("evaluation", False),
        datasets={dataset: tuple(fields) for dataset, fields in data["datasets"].items()},
    )


def _problems(file: RuleFile, catalogue: Catalogue) -> Iterator[RuleProblem]:
    """Items of nothing; datasets in two items, whose consent would be two; fields that a schema of the hub's lacks."""
    homes: dict[str, str] = {}
    known = {reference.partition("@")[0]: reference for reference in catalogue.references()}
    for name, item in file.data["items"].items():
        if not item["datasets"] and not item.get("evaluation"):
            yield file.problem(("items", name), "has neither datasets nor the evaluation")
        for dataset, fields in item["datasets"].items():
            home = homes.setdefault(dataset, name)
            if home != name:
                yield file.problem(("items", name, "datasets", dataset), f"is also in {home}; expected it in one item")
            if dataset in known:
                listed = catalogue.schema(known[dataset]).get("properties", {})
                for field in fields:
                    if field not in listed:
                        message = f"{field!r} is no field of {known[dataset]}"
                        yield file.problem(("items", name, "datasets", dataset), message)
