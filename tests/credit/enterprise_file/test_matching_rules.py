"""Names beyond their spelling, scores, and the two rules that accept a match without a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit import matching as rules
from registry.domain.credit.matching import Candidate, Enterprise, Subject
from tests.credit.enterprise_file.town import SOURCES, uscc

MATCHING = SOURCES.matching
ENTERPRISE = Enterprise(
    uscc(1), "天成（桥州）餐饮有限公司", (), "王某", "330203", "桥州市海曙区中山东路1号", date(2015, 3, 1)
)
SUBJECT = Subject("serious_dishonesty", ENTERPRISE.name, "王某", "330203", None, date(2020, 1, 1), {})


def judged(found: Subject = SUBJECT, enterprise: Enterprise = ENTERPRISE, **named_by: Any) -> Candidate:
    return rules.candidate(found, enterprise, {kind: frozenset(named) for kind, named in named_by.items()}, MATCHING)


def accepted(candidate: Candidate, *, bearers: int = 1, identified: int = 0) -> str | None:
    return rules.rule_that_accepts(candidate, bearers, identified, MATCHING)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("天成（桥州）餐饮有限公司", "same"),
        ("天成(桥州)餐饮 有限公司", "same"),
        ("天成〔桥州〕餐饮有限公司", "same"),
        ("天成（桥州）餐饮有限责任公司", "ending"),
        ("天成餐饮有限公司", "core"),
        ("桥州市海曙区天成餐饮有限公司", "core"),
        ("天城（桥州）餐饮有限公司", "alike"),
        ("天成（桥州）餐饮股份有限公司", "alike"),
        ("天成（桥州）餐饮有限公司海曙分公司", "alike"),
    ],
)
def test_names_are_compared_beyond_their_spelling(name: str, how: str) -> None:
    assert judged(replace(SUBJECT, name=name)).features.name == how


def test_the_better_the_name_fits_the_higher_the_score() -> None:
    names = ["天成（桥州）餐饮有限公司", "天成（桥州）餐饮有限责任公司", "天成餐饮有限公司", "天城（桥州）餐饮有限公司"]
    scores = [judged(replace(SUBJECT, name=name)).score for name in names]

    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert judged(replace(SUBJECT, legal_representative="李某")).score < judged().score


def test_a_rule_accepts_the_very_name_in_the_same_division_with_the_same_representative() -> None:
    assert accepted(judged()) == "same_name_division_and_representative"


@pytest.mark.parametrize(
    "found",
    [
        replace(SUBJECT, name="天成（桥州）餐饮有限责任公司"),
        replace(SUBJECT, name="天成餐饮有限公司"),
        replace(SUBJECT, legal_representative="李某"),
        replace(SUBJECT, legal_representative=None),
        replace(SUBJECT, division="330212"),
        replace(SUBJECT, division=None),
        replace(SUBJECT, day=date(2015, 2, 28)),
        replace(SUBJECT, day=None),
    ],
)
def test_without_any_one_of_these_a_person_must_decide(found: Subject) -> None:
    assert accepted(judged(found)) is None


def test_a_name_that_others_bear_or_bore_is_for_a_person() -> None:
    assert accepted(judged(), bearers=2) is None
    former = replace(ENTERPRISE, name="桥州新天成餐饮有限公司", former_names=(rules.normalise_name(ENTERPRISE.name),))
    assert judged(enterprise=former).features.name == "former"
    assert accepted(judged(enterprise=former)) is None


def test_names_of_individual_businesses_are_for_a_person() -> None:
    assert accepted(judged(enterprise=replace(ENTERPRISE, uscc=uscc(1, "92")))) is None


def test_an_old_identifier_with_the_very_name_is_enough() -> None:
    found = replace(SUBJECT, legal_representative=None, division=None, identifiers={"registration_number": "1"})

    assert accepted(judged(found, registration_number={uscc(1)}), identified=1) == "same_identifier_and_name"
    assert accepted(judged(found, registration_number={uscc(1), uscc(2)}), identified=2) is None
    assert accepted(judged(found, registration_number={uscc(2)}), identified=0) is None


def test_an_identifier_of_another_enterprise_stops_every_rule() -> None:
    found = judged(SUBJECT, registration_number={uscc(2)})

    assert found.features.identifier_of_another
    assert accepted(found) is None


def test_a_person_is_never_matched_with_an_enterprise() -> None:
    rule = MATCHING.rules["administrative_penalty"]
    body = {"holder_name": "王某", "holder_code": "x", "holder_code_type": "111"}

    assert rules.subject(rule, body) is None
    assert rules.subject(rule, body | {"holder_code_type": "099"}) is not None
    assert rules.subject(rule, body | {"holder_code_type": "099", "holder_kind": "natural_person"}) is None


@pytest.mark.parametrize("name", ["王某", "欧阳不群", "买买提·艾力", "令狐冲（另案处理）", "JOHN SMITH"])
def test_a_name_that_may_be_a_persons_is_one_where_nothing_says_otherwise(name: str) -> None:
    rule = MATCHING.rules["administrative_penalty"]
    body = {"holder_name": name, "holder_code": "11010519491231002X"}

    assert rules.subject(rule, body) is None
    for said in (
        {"registration_number": "330203000012345"},
        {"holder_code_type": "099"},
        {"holder_kind": "legal_person"},
    ):
        assert rules.subject(rule, body | said) is not None
    assert rules.subject(rule, body | {"holder_name": "天成餐饮店"}) is not None


_SPELLINGS = st.sampled_from(["（", "(", "〔", "【", "["])


@given(st.text("天成瑞丰餐饮贸易", min_size=2, max_size=8), _SPELLINGS, st.booleans(), st.integers(0, 3))
def test_however_a_name_is_spelt_it_is_the_same(trade: str, bracket: str, wide: bool, gap: int) -> None:  # noqa: FBT001
    closing = dict(zip("（(〔【[", "）)〕】]", strict=True))[bracket]
    space = "\u3000" if wide else " "
    name = f"{trade}（桥州）ABC科技有限公司"
    spelt = f"{trade}{bracket}桥州{closing}ＡＢＣ{space * gap}科技有限公司" if wide else name.replace("ABC", "abc")

    assert rules.normalise_name(spelt) == rules.normalise_name(name)
    assert rules.same("company_name", spelt, name)


@given(st.text("天成瑞丰恒永桥州市区省（）()公司有限责任股份集团1A ", min_size=1, max_size=30))
def test_taking_a_name_apart_never_fails_and_loses_no_name(name: str) -> None:
    parts = rules.name_parts(name, MATCHING)

    assert parts.name == rules.normalise_name(name)
    assert bool(parts.core) == bool(parts.name)
    assert parts.front == parts.core[: len(parts.front)]
