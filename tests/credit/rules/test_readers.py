"""What a reader sees of a record: no personal identifier for anybody, no natural person for the public."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.publicity import GradeInputs, HolderKind
from registry.domain.credit.readers import (
    READERS,
    Reader,
    default_reader_rules,
    load_reader_rules,
    shown_record,
    view,
    without_identifiers,
)
from registry.domain.credit.record_facts import NoFacts, default_record_rules, facts_of, load_record_rules
from registry.domain.credit.rule_files import RuleFileError
from schemas import catalogue
from schemas.catalogue import Catalogue

ALL_READERS: tuple[Reader, ...] = get_args(Reader)
HOLDERS: tuple[HolderKind, ...] = get_args(HolderKind)
RESIDENT_ID = "11010519491231002X"
"""The example of GB 11643."""
PENALTY: dict[str, Any] = {
    "holder_name": "桥州市鼎丰贸易有限公司",
    "holder_kind": "legal_person",
    "uscc": "91330203MA2AB12C4D",
    "holder_code": RESIDENT_ID,
    "holder_code_type": "111",
    "legal_representative": "某某某",
    "legal_representative_id_type": "111",
    "legal_representative_id": RESIDENT_ID,
    "decision_number": "桥罚〔2026〕0000001号",
    "facts": f"当事人（身份证号{RESIDENT_ID}，电话13800138000）销售过期食品，货号202601150001",
    "legal_basis": "《中华人民共和国食品安全法》第一百二十四条",
    "penalty_kinds": ["fine"],
    "content": "罚款2000元",
    "fine": {"amount": "0.2", "unit": "万元", "currency": "CNY"},
    "decided_on": "2026-05-31",
    "public_until": "2027-05-31",
    "status": "valid",
    "authority": "桥州市市场监督管理局",
    "use_scope": "public",
    "source_time": "2026-06-01T09:00:00+08:00",
    "remark": "内部备注",
}
IDENTIFIERS = {"holder_code", "legal_representative_id"}


def test_the_public_sees_a_company_without_its_people() -> None:
    found = shown_record(PENALTY, "administrative_penalty@1", "legal_person", "public")

    hidden = PENALTY.keys() - found.keys()
    assert hidden == {
        *("holder_code", "holder_code_type", "legal_representative", "legal_representative_id"),
        *("legal_representative_id_type", "use_scope", "source_time", "remark"),
    }
    assert found["facts"] == "当事人（身份证号***，电话***）销售过期食品，货号202601150001"
    assert found["fine"] == PENALTY["fine"]


@pytest.mark.parametrize("reader", ["department", "authorised_bank"])
def test_departments_and_authorised_banks_see_the_representatives_name(reader: Reader) -> None:
    found = shown_record(PENALTY, "administrative_penalty@1", "legal_person", reader)

    assert found["legal_representative"] == PENALTY["legal_representative"]


@pytest.mark.parametrize("reader", ALL_READERS)
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("reference", catalogue.references())
def test_no_reader_sees_an_identifier_of_a_person(reference: str, holder: HolderKind, reader: Reader) -> None:
    names = catalogue.schema(reference)["properties"]
    record = dict.fromkeys(names, RESIDENT_ID)

    found = view(reference, holder, reader).of(record)

    assert not found.keys() & IDENTIFIERS
    assert RESIDENT_ID not in json.dumps(found)


@pytest.mark.parametrize("reference", catalogue.references())
def test_of_a_natural_person_the_public_sees_no_personal_value(reference: str) -> None:
    personal = {pointer[1:] for pointer in catalogue.personal_fields(reference)}

    assert not view(reference, "natural_person", "public").fields & personal


def test_a_field_that_the_schema_does_not_have_is_not_shown() -> None:
    assert "password" not in shown_record(
        {**PENALTY, "password": "x"}, "administrative_penalty@1", "legal_person", "department"
    )


@given(st.text(alphabet=st.sampled_from("0123456789X身份证号，电话A ")))
def test_a_text_keeps_everything_but_identifiers(text: str) -> None:
    found = without_identifiers(f"{text}|{RESIDENT_ID}|13800138000")

    assert found.endswith("|***|***")
    assert len(found) <= len(text) + 1 + len("|***|***") + 40


@pytest.mark.parametrize(
    "text", ["91330203MA2AB12C4D", "桥罚〔2026〕0000001号", "货号202601150001", "330203199001011234"]
)
def test_numbers_that_are_no_identifiers_of_persons_stay(text: str) -> None:
    assert without_identifiers(text) == text


def test_personal_values_inside_objects_and_lists_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "city_award"
    folder.mkdir()
    secret = {"type": "string", "x-personal": True}
    person = {"type": "object", "properties": {"title": {"type": "string"}, "id": secret}}
    properties = {
        "team": {"type": "array", "items": person},
        "head": person,
        "names": {"type": "array", "items": secret},
    }
    schema = {"title": "示例", "type": "object", "properties": properties}
    (folder / "1.json").write_text(json.dumps(schema), encoding="utf-8")
    shape = view("city_award@1", "legal_person", "department", catalogue=Catalogue((tmp_path,)))

    found = shape.of({"team": [{"title": "甲", "id": "1"}], "head": {"title": "乙", "id": "2"}, "names": ["丙"]})

    assert found == {"team": [{"title": "甲"}], "head": {"title": "乙"}, "names": []}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "holders: [legal_person, individual_business]\n",
            "holders: [natural_person]\n",
            "expected one of legal_person, individual_business",
        ),
        (
            "personal_of_natural_persons: []",
            "personal_of_natural_persons: [name]",
            "natural persons' records are never public",
        ),
        ("scopes: [public, government]", "scopes: [public, internal]", "expected one of public, government"),
    ],
)
def test_rules_for_readers_that_the_law_forbids_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "1.yaml"
    text = READERS.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(RuleFileError, match=message):
        load_reader_rules(path)


def test_a_record_says_its_facts() -> None:
    facts = facts_of("administrative_penalty", PENALTY)

    assert facts.inputs == GradeInputs(
        "legal_person", frozenset({"fine"}), Decimal(2000), "ordinary", frozenset({"food"})
    )
    assert (facts.kind, facts.decided_on, facts.stated_until) == ("penalty", date(2026, 5, 31), date(2027, 5, 31))
    assert (facts.use_scope, facts.withdrawn, facts.disputed_since) == ("public", False, None)


@pytest.mark.parametrize(
    ("changes", "holder"),
    [
        ({}, "legal_person"),
        ({"holder_kind": None}, "legal_person"),
        ({"holder_kind": None, "uscc": "92330203MA2AB12C4D"}, "individual_business"),
        ({"holder_kind": "natural_person"}, "natural_person"),
        ({"holder_kind": "something"}, "natural_person"),
        ({"uscc": None}, "natural_person"),
        ({"uscc": None, "holder_code_type": None}, "natural_person"),
        ({"uscc": None, "holder_code_type": "099", "holder_kind": None}, "legal_person"),
    ],
)
def test_whoever_is_not_surely_an_organisation_counts_as_a_natural_person(changes: dict[str, Any], holder: str) -> None:
    assert facts_of("administrative_penalty", {**PENALTY, **changes}).inputs.holder == holder


def test_what_the_source_says_of_its_own_record_counts() -> None:
    assert facts_of("administrative_penalty", {**PENALTY, "status": "withdrawn"}).withdrawn
    assert facts_of("administrative_penalty", {**PENALTY, "status": "objection"}).disputed_since == date(2026, 5, 31)
    assert facts_of("administrative_penalty", {**PENALTY, "use_scope": "secret"}).use_scope == "internal"
    assert (
        facts_of("administrative_penalty", {**PENALTY, "content": "当场处罚，罚款50元"}).inputs.procedure == "summary"
    )
    assert facts_of("administrative_penalty", {**PENALTY, "fine": None}).inputs.fine is None
    foreign = {"amount": "5", "unit": "万元", "currency": "USD"}
    assert facts_of("administrative_penalty", {**PENALTY, "fine": foreign}).inputs.fine is None


def test_lists_and_permits_say_their_facts() -> None:
    listed = {"uscc": "91330203MA2AB12C4D", "listed_on": "2026-05-01", "removed_on": "2026-06-01"}
    permit = {"uscc": "91330203MA2AB12C4D", "decided_on": "2026-05-01", "valid_to": "2099-12-31", "status": "valid"}

    assert facts_of("abnormal_operation", listed).ended_on == date(2026, 6, 1)
    assert facts_of("administrative_licence", permit).stated_until is None
    assert facts_of("administrative_licence", {**permit, "valid_to": "2027-01-01"}).stated_until == date(2027, 1, 1)
    assert facts_of("administrative_licence", {**permit, "status": "invalid"}).withdrawn


def test_records_without_rules_or_without_their_day_are_refused() -> None:
    with pytest.raises(NoFacts, match="no publicity rules for records of 'utility_payment'"):
        facts_of("utility_payment", {})
    with pytest.raises(NoFacts, match="has no decided_on"):
        facts_of("administrative_penalty", {**PENALTY, "decided_on": None})


def test_the_rules_name_fields_that_the_datasets_have() -> None:
    for dataset, rule in default_record_rules().records.items():
        names = catalogue.schema(f"{dataset}@1")["properties"].keys()
        single = (rule.decided_on, rule.stated_until, rule.ended_on, rule.use_scope, rule.holder_kind, rule.status)
        more = (rule.holder_code_type, rule.entity_code, rule.penalty_kinds, rule.fine)
        texts = (*rule.sector_texts, *rule.procedure_texts, *(amount.text for amount in rule.amounts))
        used = {name for name in (*single, *more, *texts, *(amount.field for amount in rule.amounts)) if name}
        assert used <= names, dataset


def test_a_wrong_file_of_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.yaml"
    path.write_text(
        'edition: "1"\nsource: x\nsectors: {}\nsummary_procedure: []\nrecords: {a: {kind: penalty}}\n', encoding="utf-8"
    )

    with pytest.raises(RuleFileError, match=r"1\.yaml:5: records\.a\.decided_on: is missing"):
        load_record_rules(path)


def test_readers_have_a_reference() -> None:
    assert default_reader_rules().reference("public") == "readers/1#public"
