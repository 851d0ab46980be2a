"""Names and addresses beyond their spelling, and how well a record without a code fits an enterprise.

Values are normalised for comparison only: brackets, spaces, full and half width, letter case. What stands in files and
lists is always the source's own spelling.

A record is matched by itself only by a rule that cannot merge two enterprises; everything else is a candidate with a
score, for a person to decide.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import orjson
from rapidfuzz import fuzz

from registry.domain.credit.sources import Comparison, Matching, MatchingRule

_BRACKETS = str.maketrans("〔〕[]【】｛｝{}〈〉<>《》", "()()()()()()()()")
_DOTS = str.maketrans("・•‧∙．", "·····")
_INVISIBLE = re.compile("[\\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_PUNCTUATION = re.compile(r"[,，、.。;；:：_—–~－-]+")
_PREFIX = re.compile(
    "(?:[\u4e00-\u9fff]{2,7}?(?:省|自治区|特别行政区))?"
    "(?:[\u4e00-\u9fff]{2,7}?(?:市|自治州|地区|盟))?"
    "(?:[\u4e00-\u9fff]{1,7}?(?:区|县|市|旗))?"
)
_CITY = re.compile("[\u4e00-\u9fff]{2,4}?[省市州]")
_IN_BRACKETS = re.compile(r"\([^()]*\)")

_LONGEST_REGION = 12
"""Characters."""
_LONGEST_NAME_OF_A_PERSON = 4
"""Chinese characters, where no dot divides them."""
_SAME, _SAME_BUT_ENDING, _SAME_CORE, _ALIKE = 0.92, 0.89, 0.85, 0.85
"""What a name gives at most: word for word, but for the ending, but for region and ending, alike."""
_FOR, _AGAINST = 0.04, 0.1
"""What a representative and a division that are the same add, and what different ones take."""
_BY_IDENTIFIER = 0.9
"""The least score where an old identifier says it is the enterprise."""
_SAME_ADDRESS = 0.8
"""The score of an address alone."""
_AT_ADDRESS, _NAMED_AT_ADDRESS = 0.45, 0.4
"""With a name beside it, an address gives as much as the name agrees: many enterprises share a house."""


def normalise_name(text: str) -> str:
    """A company's name for comparison: width, brackets, dots, letter case and spaces do not count."""
    return _plain(text).translate(_BRACKETS).translate(_DOTS)


def normalise_person(text: str) -> str:
    """A person's name for comparison."""
    return _plain(text).translate(_DOTS)


def normalise_address(text: str) -> str:
    """An address for comparison: punctuation does not count either."""
    return _PUNCTUATION.sub("", _plain(text).translate(_BRACKETS))


def local_address(text: str) -> str:
    """A normalised address without province, city and district before it."""
    normal = normalise_address(text)
    prefix = _PREFIX.match(normal)
    return normal[prefix.end() :] if prefix is not None else normal


def same(comparison: Comparison, one: Any, other: Any) -> bool:
    """Whether two values mean the same; a province or city that only one address names is no difference."""
    if comparison == "code" or not (isinstance(one, str) and isinstance(other, str)):
        return bool(one == other)
    if comparison == "company_name":
        return normalise_name(one) == normalise_name(other)
    if comparison == "person_name":
        return normalise_person(one) == normalise_person(other)
    short, long = sorted((normalise_address(one), normalise_address(other)), key=len)
    return long == short or (long.endswith(short) and _PREFIX.fullmatch(long[: -len(short)]) is not None)


@dataclass(frozen=True, slots=True)
class NameParts:
    """A name taken apart."""

    name: str
    """Normalised."""
    core: str
    """Without region before it, brackets and ending; never empty for a name that is not."""
    ending: str
    """The first of its group of equal endings; empty: none that is known."""

    @property
    def front(self) -> str:
        """The first half of the core, two characters at least: names alike mostly begin alike."""
        return self.core[: max(2, (len(self.core) + 1) // 2)]


def name_parts(text: str, matching: Matching) -> NameParts:
    """Take a name apart."""
    name = normalise_name(text)
    ending, rest = "", name
    for written, first in _endings(matching.endings):
        if name.endswith(written) and len(name) > len(written):
            ending, rest = first, name[: -len(written)]
            break
    core = _IN_BRACKETS.sub("", rest) or rest
    shorter = _without_region(core, matching.regions)
    return NameParts(name, shorter or core, ending)


def _without_region(core: str, regions: frozenset[str]) -> str:
    """Without the words for regions before it, down to the two characters that a trade name has at least.

    A word that nobody knows is taken for a city if it ends like one and a known region follows.
    """
    rest = core
    while (length := _region(rest, regions)) > 0:
        rest = rest[length:]
    unknown = _CITY.match(rest)
    if unknown is not None and _region(rest[unknown.end() :], regions):
        return _without_region(rest[unknown.end() :], regions)
    return rest


def _region(text: str, regions: frozenset[str]) -> int:
    """How many characters of a text are a word for a region; 0: none, or too little would be left."""
    longest = min(_LONGEST_REGION, len(text) - 2)
    return next((length for length in range(longest, 1, -1) if text[:length] in regions), 0)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a record without a code says of whom it is about."""

    dataset: str
    name: str | None
    legal_representative: str | None
    division: str | None
    address: str | None
    day: date | None
    identifiers: Mapping[str, str]

    @property
    def words(self) -> bytes:
        """What it says, in one text: a decision about a match holds as long as it is the same."""
        words = [
            self.dataset, self.name, self.legal_representative, self.division, self.address,
            self.day and self.day.isoformat(), sorted(self.identifiers.items()),
        ]  # fmt: skip
        return orjson.dumps(words)


def subject(rule: MatchingRule, body: Mapping[str, Any]) -> Subject | None:
    """Whom a record without a code is about; None: a natural person, or nobody that could be looked for.

    Where nothing says what it is about, a name that may be a person's is taken for one: it is not looked for, nor kept.
    """
    if any(body.get(field) in values for field, values in rule.natural_person.items()):
        return None

    def text(field: str | None) -> str | None:
        value = body.get(field) if field is not None else None
        return value if isinstance(value, str) and value.strip() else None

    identifiers = {kind: value for kind, field in rule.identifiers.items() if (value := text(field)) is not None}
    found = Subject(
        rule.dataset,
        text(rule.name),
        text(rule.legal_representative),
        text(rule.division),
        text(rule.address),
        _day(text(rule.day)),
        {kind: normalise_identifier(value) for kind, value in identifiers.items()},
    )
    says_what_it_is = found.identifiers or any(text(field) for field in rule.natural_person)
    if found.name and not says_what_it_is and may_be_a_person(found.name):
        return None
    return found if found.name or found.address or found.identifiers else None


def may_be_a_person(name: str) -> bool:
    """Whether a name may be a natural person's: short, with a dot between its parts, or not Chinese at all."""
    outside = _IN_BRACKETS.sub("", normalise_name(name))
    return "·" in outside or sum("\u4e00" <= each <= "\u9fff" for each in outside) <= _LONGEST_NAME_OF_A_PERSON


def normalise_identifier(text: str) -> str:
    """An old identifier as it is looked for: capital letters and digits, no hyphens, brackets or spaces."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).upper()


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An enterprise that a record may be about."""

    uscc: str
    name: str
    former_names: tuple[str, ...]
    """Normalised."""
    legal_representative: str | None
    division: str | None
    address: str | None
    established_on: date | None


@dataclass(frozen=True, slots=True)
class Features:
    """Why a candidate has its score; says nothing personal."""

    name: str
    """``same``, ``former``, ``ending`` (same but for it), ``core`` (and for the region), ``alike``, ``unknown``."""
    name_ratio: float
    """0 to 1."""
    legal_representative: str
    """``same``, ``different``, ``unknown``."""
    division: str
    address: str
    identifier: str | None
    """The kind of old identifier that names this enterprise."""
    identifier_of_another: bool
    """Whether an old identifier of the record names another enterprise."""
    founded_before: bool
    """Whether it is known to have been founded by the day of the record."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An enterprise that a record may be about, with a score from 0 to 1."""

    uscc: str
    score: float
    features: Features


def candidate(
    found: Subject, enterprise: Enterprise, named_by: Mapping[str, frozenset[str]], matching: Matching
) -> Candidate:
    """How well a record fits an enterprise; ``named_by``: kind of old identifier of the record -> enterprises of it."""
    identifier = next((kind for kind in sorted(named_by) if enterprise.uscc in named_by[kind]), None)
    another = any(named and enterprise.uscc not in named for named in named_by.values())
    how, ratio = _compare_names(found.name, enterprise, matching)
    features = Features(
        name=how,
        name_ratio=round(ratio, 4),
        legal_representative=_compared("person_name", found.legal_representative, enterprise.legal_representative),
        division=_compared("code", found.division, enterprise.division),
        address=_compared("address", found.address, enterprise.address),
        identifier=identifier,
        identifier_of_another=another,
        founded_before=None not in (found.day, enterprise.established_on) and enterprise.established_on <= found.day,  # type: ignore[operator]  # neither is None
    )
    return Candidate(enterprise.uscc, _score(features), features)


def rule_that_accepts(
    found: Candidate, bearers_of_name: int, bearers_of_identifier: int, matching: Matching
) -> str | None:
    """The rule by which a candidate is accepted without a person; None: no rule does.

    ``bearers_of_name``: enterprises that have, or once had, the record's name, or one that differs by region, brackets
    or ending only; ``bearers_of_identifier``: those that the registry of enterprises itself gives the record's
    identifier to. Two enterprises cannot both fit a rule: names are compared word for word, and nobody else may bear
    one that a clerk could take for it, now or ever.
    """
    features = found.features
    if (
        features.name != "same"
        or features.identifier_of_another
        or not features.founded_before
        or bearers_of_name != 1
        or found.uscc.startswith(matching.never_automatic)
        or "different" in (features.legal_representative, features.division)
    ):
        return None
    if features.identifier is not None and bearers_of_identifier == 1:
        return "same_identifier_and_name"
    if features.legal_representative == features.division == "same":
        return "same_name_division_and_representative"
    return None


def best(candidates: Iterable[Candidate], matching: Matching) -> list[Candidate]:
    """The candidates worth a person's look, best first."""
    worth = [each for each in candidates if each.score >= matching.candidate_from]
    return sorted(worth, key=lambda each: (-each.score, each.uscc))[: matching.most_candidates]


def _compare_names(text: str | None, enterprise: Enterprise, matching: Matching) -> tuple[str, float]:
    if text is None:
        return "unknown", 0.0
    one, other = name_parts(text, matching), name_parts(enterprise.name, matching)
    if one.name == other.name:
        return "same", 1.0
    if one.name in enterprise.former_names:
        return "former", 1.0
    ratio = fuzz.ratio(one.core, other.core) / 100
    if one.ending != other.ending:
        return "alike", ratio * 0.95
    if one.core != other.core:
        return "alike", ratio
    return ("ending" if _but_ending(one) == _but_ending(other) else "core"), 1.0


def _but_ending(parts: NameParts) -> str:
    """A name up to the end of its core: what stands before the ending, brackets included."""
    return parts.name[: parts.name.rfind(parts.core[-1]) + 1] if parts.core else parts.name


def _compared(comparison: Comparison, one: str | None, other: str | None) -> str:
    if one is None or other is None:
        return "unknown"
    return "same" if same(comparison, one, other) else "different"


def _score(features: Features) -> float:
    most = {"same": _SAME, "former": _SAME_BUT_ENDING, "ending": _SAME_BUT_ENDING, "core": _SAME_CORE}
    score = most.get(features.name, _ALIKE * features.name_ratio)
    if features.address == "same":
        alone = features.name == "unknown"
        score = max(score, _SAME_ADDRESS if alone else _AT_ADDRESS + _NAMED_AT_ADDRESS * features.name_ratio)
    for compared in (features.legal_representative, features.division):
        score += {"same": _FOR, "different": -_AGAINST}.get(compared, 0.0)
    if features.identifier is not None:
        score = max(score, _BY_IDENTIFIER)
    if features.identifier_of_another:
        score -= _AGAINST
    return round(min(max(score, 0.0), 1.0), 4)


@lru_cache(maxsize=16)
def _endings(groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, str], ...]:
    """Every ending with the first of its group, the longest first."""
    pairs = [(normalise_name(written), group[0]) for group in groups for written in group]
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0])))


def _plain(text: str) -> str:
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).upper()


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        return None
