"""Who may see which records and which of their fields: rules as data (``readers/<edition>.yaml``).

Personal values (``x-personal`` of the dataset's schema) are shown to a reader only where the rules name the field for
that reader; identifiers of persons are shown to none, not even inside a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from registry.domain.credit.publicity import HolderKind, Title
from registry.domain.credit.rule_files import RULES, RuleFile, read_rule_file, rule_file
from schemas.catalogue import Catalogue, default_catalogue
from schemas.identifiers import is_resident_id

READERS = RULES / "readers" / "1.yaml"
SCHEMA = RULES / "readers" / "readers.schema.json"

Reader = Literal["public", "department", "authorised_bank"]
"""``authorised_bank``: a lender to whom the subject has consented; that consent is the caller's to check."""

_RESIDENT_ID = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])", re.ASCII)
_MOBILE_NUMBER = re.compile(r"(?<![0-9A-Za-z])1[3-9][0-9]{9}(?![0-9A-Za-z])", re.ASCII)
_STARS = "***"
_SHORTEST = 11
"""Characters of the shortest identifier."""
_MANY_DIGITS = re.compile(r"[0-9]{11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReaderRule:
    """What one reader may see."""

    title: Title
    scopes: frozenset[str]
    """The use scopes 信息使用范围 that include this reader."""
    holders: frozenset[str]
    unpublished_grades: bool
    """Whether records of a grade that is not published are shared with this reader all the same."""
    personal_of_organisations: frozenset[str]
    """Fields marked as personal that are shown where the record is about an organisation."""
    personal_of_natural_persons: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReaderRules:
    """One edition of the rules for readers."""

    edition: str
    source: str
    readers: Mapping[Reader, ReaderRule]
    never_shown: frozenset[str]
    hub_only: frozenset[str]
    hidden_in_texts: tuple[str, ...]
    digest: str

    def of(self, reader: Reader) -> ReaderRule:
        """The rule of one reader."""
        return self.readers[reader]

    def reference(self, reader: Reader) -> str:
        """``readers/1#public``."""
        return f"readers/{self.edition}#{reader}"


@dataclass(frozen=True, slots=True)
class View:
    """What one reader sees of one dataset's records about one kind of holder."""

    fields: frozenset[str]
    """The top-level fields that are shown."""
    personal_inside: frozenset[str]
    """JSON Pointers of personal values inside those fields, which are not."""
    hidden_in_texts: tuple[str, ...]

    def of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with only what the reader may see. A field that the schema does not have is never shown."""
        fields = self.fields
        return {name: self._part(value, name) for name, value in record.items() if name in fields}

    def _part(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            return value if len(value) < _SHORTEST else without_identifiers(value, self.hidden_in_texts)
        if isinstance(value, Mapping | list | tuple):
            return _without(value, f"/{name}", self.personal_inside, self.hidden_in_texts)
        return value


def view(
    schema: str,
    holder: HolderKind,
    reader: Reader,
    rules: ReaderRules | None = None,
    catalogue: Catalogue | None = None,
) -> View:
    """What a reader sees of records of a dataset's schema, such as ``administrative_penalty@1``.

    It strips fields; whether the reader sees a record at all is :func:`registry.domain.credit.visibility.visibility`'s
    to say. Make it once for many records. Raises UnknownSchema.
    """
    rules, catalogue = rules or default_reader_rules(), catalogue or default_catalogue()
    rule = rules.of(reader)
    natural = holder == "natural_person"
    allowed = rule.personal_of_natural_persons if natural else rule.personal_of_organisations
    personal = {pointer[1:] for pointer in catalogue.personal_fields(schema)}
    listed = frozenset(catalogue.schema(schema).get("properties", {}))
    return View(
        fields=listed - ({name for name in personal if "/" not in name} - allowed) - rules.never_shown - rules.hub_only,
        personal_inside=frozenset(f"/{name}" for name in personal if "/" in name),
        hidden_in_texts=rules.hidden_in_texts,
    )


def shown_record(record: Mapping[str, Any], schema: str, holder: HolderKind, reader: Reader) -> dict[str, Any]:
    """One record with only what a reader may see of it: :func:`view` with the hub's own rules and schemas."""
    return _own_view(schema, holder, reader).of(record)


@cache
def _own_view(schema: str, holder: HolderKind, reader: Reader) -> View:
    """Made once: there are few schemas, holders and readers, and many records."""
    return view(schema, holder, reader)


def without_identifiers(text: str, kinds: tuple[str, ...] = ("resident_id", "mobile_number")) -> str:
    """A text with resident identity numbers (those whose check character is right) and mobile numbers starred out."""
    if _MANY_DIGITS.search(text):
        for kind in kinds:
            text = _HIDE[kind](text)
    return text


def load_reader_rules(path: Path = READERS) -> ReaderRules:
    """One edition of the rules for readers. Raises RuleFileError with every problem of the file."""
    return _reader_rules(read_rule_file(rule_file(path), SCHEMA))


@cache
def default_reader_rules() -> ReaderRules:
    """The rules that come with the hub, read once."""
    return load_reader_rules()


def _reader_rules(file: RuleFile) -> ReaderRules:
    data = file.data
    names: tuple[Reader, ...] = get_args(Reader)
    return ReaderRules(
        edition=data["edition"],
        source=data["source"],
        readers={name: _rule(data["readers"][name]) for name in names},
        never_shown=frozenset(data["never_shown"]),
        hub_only=frozenset(data["hub_only"]),
        hidden_in_texts=tuple(data["hidden_in_texts"]),
        digest=file.digest,
    )


def _rule(data: Mapping[str, Any]) -> ReaderRule:
    return ReaderRule(
        title=Title(**data["title"]),
        scopes=frozenset(data["scopes"]),
        holders=frozenset(data["holders"]),
        unpublished_grades=data["unpublished_grades"],
        personal_of_organisations=frozenset(data["personal_of_organisations"]),
        personal_of_natural_persons=frozenset(data["personal_of_natural_persons"]),
    )


def _without(value: Any, pointer: str, inner: frozenset[str], kinds: tuple[str, ...]) -> Any:
    """A value without personal values inside it and without identifiers in its texts."""
    if isinstance(value, str):
        return without_identifiers(value, kinds)
    if isinstance(value, Mapping):
        return {
            name: _without(part, f"{pointer}/{name}", inner, kinds)
            for name, part in value.items()
            if f"{pointer}/{name}" not in inner
        }
    if isinstance(value, list | tuple):
        return [_without(part, f"{pointer}/*", inner, kinds) for part in value if f"{pointer}/*" not in inner]
    return value


def _hide_resident_ids(text: str) -> str:
    return _RESIDENT_ID.sub(lambda found: _STARS if is_resident_id(found[0].upper()) else found[0], text)


def _hide_mobile_numbers(text: str) -> str:
    return _MOBILE_NUMBER.sub(_STARS, text)


_HIDE: dict[str, Callable[[str], str]] = {
    "resident_id": _hide_resident_ids,
    "mobile_number": _hide_mobile_numbers,
}
