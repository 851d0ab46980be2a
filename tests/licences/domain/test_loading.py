"""A licence type is a file: a new one needs no code; a wrong one says file, line, key, what was got and expected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from registry.domain.licences.content import applies, as_json, content_of, target_state
from registry.domain.licences.licence import ContentRefused
from registry.domain.licences.loading import (
    GENERAL_TEMPLATE,
    TYPES,
    LicenceTypeError,
    LicenceTypeProblem,
    UnknownLicenceType,
    licence_type_schema,
    load_type,
    load_types,
)
from schemas import catalogue
from schemas.catalogue import DEFINITIONS, Catalogue
from schemas.identifiers import is_uscc, uscc_check_character
from tests.licences.domain.contents import PERMIT

DISCHARGE = """\
code: 11100000MB0143028R101
title: {zh: 排污许可证, en: Pollutant discharge permit}
defining_authority: {name: 示例机构, code: 11100000MB0143028R}
legal_basis: 《排污许可管理条例》
trust_grade: B
dataset: administrative_licence
schema: administrative_licence@1
conditions:
  - {field: licence_name, values: [排污许可证]}
number: {field: licence_number, pattern: "PW[0-9]{6}"}
holder: {name: holder_name, uscc: uscc, code_types: ["001"]}
issuer: {name: authority, code: authority_code}
term: {issued_on: decided_on, valid_to: valid_to}
states:
  field: status
  codes: {valid: "01", invalid: "03"}
  deleted: "04"
items:
  - {name: kinds, title: {zh: 排放种类, en: Kinds of discharge}, short_name: PFZL, field: content, kind: text}
  - {name: legal_representative, title: {zh: 法定代表人, en: Legal representative}, short_name: FDDBR, field: legal_representative, kind: text}
"""  # noqa: E501

CONDITION = "conditions:\n  - {field: licence_name, values: [排污许可证]}"
ITEM = "field: content, kind: text"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(text: str, place: str = "discharge_permit/1.yaml") -> Path:
        path = tmp_path / "types" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return to


def problems(path: Path) -> list[LicenceTypeProblem]:
    with pytest.raises(LicenceTypeError) as caught:
        load_type(path)
    return list(caught.value.problems)


def changed(*changes: tuple[str, str]) -> str:
    text = DISCHARGE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_the_hub_brings_five_types_and_their_templates() -> None:
    types = load_types()

    assert [found.reference for found in types.all] == [
        "administrative_permit@1",
        "animal_clinic_licence@1",
        "business_licence@1",
        "construction_qualification@1",
        "food_business_licence@1",
    ]
    for found in types.all:
        assert is_uscc(found.defining_authority.code)
        assert found.template == found.path.with_suffix(".typ")
        assert found.template.is_file()
        assert found.has_personal_items
        assert {item.personal for item in found.items if item.name == "legal_representative"} == {True}


def test_only_the_code_that_was_seen_alive_is_not_provisional() -> None:
    certain = [found.code for found in load_types().all if not found.code_is_provisional]

    assert certain == ["11100000000013338W009"]


def test_types_are_found_by_name_reference_code_and_dataset() -> None:
    types = load_types()

    food = types.latest("food_business_licence")
    assert types.one("food_business_licence@1") is food
    assert types.by_code(food.code) is food
    assert types.of_dataset("food_business_licence") == (food,)
    assert {found.name for found in types.of_dataset("administrative_licence")} == {
        "administrative_permit",
        "animal_clinic_licence",
        "construction_qualification",
    }
    for find, asked in ((types.latest, "food"), (types.one, "food_business_licence@2"), (types.by_code, "1")):
        with pytest.raises(UnknownLicenceType, match="there are administrative_permit@1"):
            find(asked)


def test_a_file_in_a_folder_is_a_new_type_and_takes_its_records_from_the_generic_one(write: Write) -> None:
    types = load_types([write(DISCHARGE).parents[1]])
    record = PERMIT | {"licence_name": "排污许可证", "licence_number": "PW000001", "content": "水污染物"}

    (licence_type,) = [found for found in types.of_dataset("administrative_licence") if applies(found, record)]
    assert licence_type.reference == "discharge_permit@1"
    assert licence_type.template == GENERAL_TEMPLATE
    assert target_state(licence_type, record | {"status": "invalid"}) == ("03", None)
    assert as_json(content_of(licence_type, record)) == {
        "number": "PW000001",
        "holders": [{"name": PERMIT["holder_name"], "code": PERMIT["uscc"], "code_type": "001"}],
        "issuer": {"name": "桥州市应急管理局"},
        "issued_on": "2024-03-01",
        "valid_from": "2024-03-01",
        "valid_to": "2099-12-31",
        "items": {"kinds": "水污染物"},
    }
    others = [found for found in types.of_dataset("administrative_licence") if applies(found, PERMIT)]
    assert [found.name for found in others] == ["administrative_permit"]


def test_a_city_s_own_dataset_gets_a_type_the_same_way(write: Write, tmp_path: Path) -> None:
    field = {"type": "string", "title": "字段", "x-title-en": "Field"}
    schema = {
        "title": "捕捞许可证信息",
        "type": "object",
        "properties": dict.fromkeys(("no", "boat", "uscc", "by", "state"), field)
        | {"on": field | {"format": "date"}, "owner": field | {"x-personal": True}},
    }
    folder = tmp_path / "schemas" / "fishing"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps(schema), encoding="utf-8")
    text = """
        code: 11100000MB0143028R102
        title: {zh: 捕捞许可证, en: Fishing licence}
        defining_authority: {name: 示例机构, code: 11100000MB0143028R}
        legal_basis: 《渔业法》
        trust_grade: C
        dataset: fishing
        schema: fishing@1
        number: {field: no, pattern: ".+"}
        holder: {name: boat, uscc: uscc, code_types: ["001"]}
        issuer: {name: by}
        term: {issued_on: on}
        states: {field: state, codes: {"on": "01", "no": "04"}, deleted: "04"}
        items: [{name: owner, title: {zh: 船主, en: Owner}, short_name: CZ, field: owner, kind: text, required: true}]
    """
    types = load_types(
        [write(text, "fishing_licence/1.yaml").parents[1]], catalogue=Catalogue((DEFINITIONS, tmp_path / "schemas"))
    )
    (licence_type,) = types.of_dataset("fishing")
    record = {"no": "7", "boat": "桥渔001", "uscc": PERMIT["uscc"], "by": "渔政", "on": "2024-01-02", "state": "no"}

    assert licence_type.has_personal_items
    assert content_of(licence_type, record | {"owner": "王五"}).items == {"owner": "王五"}
    assert target_state(licence_type, record) == ("04", None)
    with pytest.raises(ContentRefused) as caught:
        content_of(licence_type, record | {"uscc": ["桥渔001"], "by": 7, "owner": "王五"})
    assert [str(refusal.en) for refusal in caught.value.refusals] == [
        "uscc: got ***, expected a text",
        "by: got ***, expected a text",
    ]


def test_the_newest_version_is_issued_and_the_older_one_stays_readable(write: Write) -> None:
    write(DISCHARGE)
    write(changed(("trust_grade: B", "trust_grade: A")), "discharge_permit/10.yaml")
    types = load_types([write(changed(("trust_grade: B", "trust_grade: C")), "discharge_permit/9.yaml").parents[1]])

    assert types.latest("discharge_permit").reference == "discharge_permit@10"
    assert types.by_code("11100000MB0143028R101").version == 10
    assert types.one("discharge_permit@1").trust_grade == "B"
    assert [found.version for found in types.of_dataset("administrative_licence") if "discharge" in found.name] == [10]


def test_a_changed_text_is_another_edition(write: Write) -> None:
    one, other = load_type(write(DISCHARGE)), load_type(write(DISCHARGE + "# note\n", "discharge_permit/2.yaml"))

    assert len(one.digest) == 64
    assert one.digest != other.digest


def test_a_new_type_makes_another_edition_of_the_one_for_all_other_records_and_of_no_other(write: Write) -> None:
    before, after = load_types(), load_types([write(DISCHARGE).parents[1]])

    editions = {found.name for found in before.all if after.one(found.reference).digest != found.digest}
    assert editions == {"administrative_permit"}


def test_every_shipped_file_keeps_the_published_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(dict(licence_type_schema()))
    assert (TYPES / "licence-type.schema.json").is_file()


def test_every_problem_is_said_at_once_with_its_line(write: Write) -> None:
    path = write(
        changed(
            ("trust_grade: B", "trust_grade: E"),
            ("field: licence_number", "field: license_number"),
            ('"PW[0-9]{6}"', '"PW[0-9{6}"'),
            ("codes: {valid", "codes: {vaild"),
            ("kind: text", "kind: number"),
            ("legal_basis", "legal_bases"),
        )
    )

    assert [(found.line, found.key, found.message.split(";")[0]) for found in problems(path)] == [
        (1, "legal_basis", "is missing"),
        (4, "legal_bases", "unknown key"),
        (5, "trust_grade", 'got "E"'),
        (
            10,
            "number.pattern",
            "got 'PW[0-9{6}', which is no regular expression: unterminated character set at position 2",
        ),
        (10, "number.field", "administrative_licence@1 has no field 'license_number': unknown key"),
        (16, "states.codes.vaild", "status is never 'vaild'"),
        (16, "states.codes", "status can also be valid"),
        (19, "items[0].kind", 'got "number"'),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("code: 11100000MB0143028R101", "code: 11100000MB0143028R1", "code: got"),
        ("code: 11100000MB0143028R101", "code: 11100000000013338W101", "expected 11100000MB0143028R (the defining"),
        (
            "示例机构, code: 11100000MB0143028R",
            "示例机构, code: 11100000MB0143028T",
            "its first 17 characters ask for R",
        ),
        ("dataset: administrative_licence", "dataset: administrative_license", 'did you mean "administrative_licence"'),
        (
            "schema: administrative_licence@1",
            "schema: administrative_licence@7",
            "no schema 'administrative_licence@7'",
        ),
        ("schema: administrative_licence@1", "schema: legal_entity@1", "expected a schema of administrative_licence"),
        ('"PW[0-9]{6}"', '"PW[0-9]{6}("', "number.pattern: got 'PW[0-9]{6}(', which is no regular expression"),
        (
            '"PW[0-9]{6}"',
            '"(?P<a>PW)(?(a)1|2)"',
            "number.pattern: got '(?P<a>PW)(?(a)1|2)'; expected an expression that",
        ),
        ('code_types: ["001"]', 'code_types: ["002"]', "got '002'; expected a code of GB/T 36903 annex A: 001, 099"),
        ('code_types: ["001"]', 'code_types: ["111"]', "expected code and code_type, or only 001"),
        ('code_types: ["001"]', "code_types: [1]", "got 1; expected a code of GB/T 36903 annex A, three digits"),
        ("valid_to: valid_to", "valid_to: content", "term.valid_to: got the field content, which has no date"),
        ("valid_to: valid_to", "valid_to: valid_to, unlimited: [2099-13-01]", "got '2099-13-01'; expected a day that"),
        ("valid_to: valid_to", "until: valid_to", "unknown key"),
        ("[排污许可证]", "[]", "expected a list of texts"),
        (CONDITION, "conditions: others", "the word otherwise, or a list"),
        ("field: licence_name, values", "field: licence_category, values", "licence_category is never '排污许可证'"),
        ("values: [排污许可证]", "values: [排污许可证], not: [甲]", "a field with values or not"),
        ('invalid: "03"', 'invalid: "08"', "a state code: 01, 02"),
        (', invalid: "03"', "", "status can also be invalid; expected a state for each value"),
        ('invalid: "03"', 'invalid: "99"', "99 needs an explanation; expected text"),
        ("short_name: PFZL", "short_name: CZZT", "CZZT is an element of GB/T 36903 (持证主体)"),
        ("short_name: PFZL", "short_name: FDDBR", "FDDBR stands twice; the first is items[0]"),
        ("name: kinds", "name: legal_representative", "legal_representative stands twice; the first is items[0]"),
        (ITEM, "field: decided_on, kind: list", "expected date or text"),
        (ITEM, "field: content, kind: date", "got date (a date) for the field content; expected text"),
        (ITEM, "field: decided_on, kind: date, codes: {a: {zh: 一, en: A}}", "codes of a date"),
        (ITEM, "field: status, kind: text, codes: {x: {zh: 一, en: A}}", "status is never 'x'"),
        (
            ITEM,
            "field: status, kind: text, codes: {valid: {zh: 一, en: A}, invalid: {zh: 一, en: B}}",
            "一 stands for valid already",
        ),
        (ITEM, f"{ITEM}, personal: true", "got true, but in administrative_licence@1"),
        ("legal_representative, kind: text", "legal_representative, kind: text, personal: false", "is personal"),
        ("trust_grade: B", "trust_grade: B\ntemplate: none.typ", "template: got 'none.typ'; expected a file"),
        ("trust_grade: B", "trust_grade: B\ntrust_grade: A", "trust_grade: stands twice; the first is in line 5"),
        ("title: {", "title: [", "no valid YAML"),
        (DISCHARGE, "", "the file is empty"),
        (DISCHARGE, "- a\n- b\n", "expected keys with values"),
    ],
)
def test_a_wrong_file_says_where_and_what_was_expected(write: Write, old: str, new: str, said: str) -> None:
    path = write(changed((old, new)))
    text = "\n".join(str(found) for found in problems(path))

    assert said in text
    assert text.startswith(str(path))


def test_a_person_may_hold_a_licence_only_where_the_schema_says_that_the_code_is_personal(
    write: Write, tmp_path: Path
) -> None:
    folder = tmp_path / "schemas" / "administrative_licence"
    folder.mkdir(parents=True)
    text = (DEFINITIONS / "administrative_licence" / "1.json").read_text(encoding="utf-8")
    (folder / "1.json").write_text(text.replace(', "x-personal": true', ""), encoding="utf-8")
    people = changed(('code_types: ["001"]', 'code: holder_code, code_type: holder_code_type, code_types: ["111"]'))
    path = write(people)

    assert load_type(path).has_personal_items
    with pytest.raises(LicenceTypeError) as caught:
        load_type(path, catalogue=Catalogue((tmp_path / "schemas", DEFINITIONS)))
    assert {found.key for found in caught.value.problems} == {"holder.name", "holder.code"}


@pytest.mark.parametrize(
    ("people", "representative", "personal"),
    [("", False, False), ("", True, True), ('"099"', False, False), ('"111"', False, True)],
)
def test_a_licence_has_something_personal_if_a_person_holds_it_or_an_item_is_of_a_person(
    write: Write,
    people: str,
    representative: bool,  # noqa: FBT001
    personal: bool,  # noqa: FBT001
) -> None:
    text = DISCHARGE if representative else DISCHARGE[: DISCHARGE.index("  - {name: legal_representative")]
    codes = f'code: holder_code, code_type: holder_code_type, code_types: ["001", {people}]'

    assert load_type(write(text.replace('code_types: ["001"]', codes))).has_personal_items is personal


def test_a_file_of_another_name_than_a_version_is_no_type(write: Write) -> None:
    for place in ("discharge_permit/latest.yaml", "Discharge/1.yaml", "discharge_permit/0.yaml"):
        assert "expected <type>/<version>.yaml" in str(problems(write(DISCHARGE, place))[0])


def test_what_cannot_be_read_says_so(write: Write, tmp_path: Path) -> None:
    assert "cannot be read" in str(problems(tmp_path / "no" / "1.yaml")[0])
    path = write(DISCHARGE)
    path.write_bytes(b"code: \xff\n")
    assert "no valid UTF-8" in str(problems(path)[0])
    path.write_bytes(b"#" * (1 << 21))
    assert "larger than" in str(problems(path)[0])


def test_problems_of_all_files_come_together(write: Write, tmp_path: Path) -> None:
    write(changed(("trust_grade: B", "trust_grade: X")))
    write(changed(("dataset: ", "dataset: x"), ("R101", "R102")), "other/1.yaml")
    with pytest.raises(LicenceTypeError) as caught:
        load_types([tmp_path / "types", tmp_path / "nowhere"])

    text = str(caught.value)
    assert "discharge_permit/1.yaml:5: trust_grade" in text
    assert "other/1.yaml:6: dataset: no dataset 'xadministrative_licence'" in text
    assert f"{tmp_path / 'nowhere'}: no such folder" in text


@pytest.mark.parametrize(
    ("place", "changes", "said"),
    [
        ("business_licence/1.yaml", [], "business_licence@1 is also in"),
        ("food_permit/1.yaml", [("R101", "R002")], "is also the code of"),
        ("clinic/1.yaml", [("[排污许可证]", "[动物诊疗许可证]")], "could be of this type and of animal_clinic_licence"),
        ("rest/1.yaml", [(CONDITION, "conditions: otherwise")], "also takes"),
        ("rest/1.yaml", [("values: [", "not: [")], "has more than one list of values"),
        ("rest/1.yaml", [(CONDITION, "")], "also takes every record"),
    ],
)
def test_two_types_never_take_one_record_code_or_name(
    write: Write, place: str, changes: list[tuple[str, str]], said: str
) -> None:
    path = write(changed(*changes), place)
    with pytest.raises(LicenceTypeError) as caught:
        load_types([path.parents[1]])

    assert said in str(caught.value)


def test_every_shipped_personal_item_is_personal_in_the_dataset_s_schema() -> None:
    for found in load_types().all:
        personal = catalogue.personal_fields(found.schema)
        for item in found.items:
            assert item.personal == (f"/{item.field}" in personal)


def test_the_codes_of_the_authorities_have_their_check_characters() -> None:
    for found in load_types().all:
        code = found.defining_authority.code
        assert found.code[:18] == code
        assert uscc_check_character(code[:17]) == code[17]


def test_a_type_with_its_own_template_uses_it(write: Write) -> None:
    path = write(changed(("trust_grade: B", "trust_grade: B\ntemplate: ../looks/blue.typ")))
    look: Any = write("#import", "looks/blue.typ")

    assert load_type(path).template == look.resolve()


def test_a_type_says_which_authorities_may_issue_it(write: Write) -> None:
    issuer = "issuer: {name: authority, code: authority_code"
    text = DISCHARGE.replace(f"{issuer}}}", f"{issuer}, only: [11100000MB0143028R, '330203']}}")
    assert load_type(write(text)).issuer.only == ("11100000MB0143028R", "330203")
    assert load_type(write(DISCHARGE)).issuer.only == ()


@pytest.mark.parametrize("codes", ["[]", "[BUREAU]", "['330203', '330203']", "330203"])
def test_a_list_of_authorities_that_is_none_is_refused(write: Write, codes: str) -> None:
    issuer = "issuer: {name: authority, code: authority_code"
    (problem,) = problems(write(DISCHARGE.replace(f"{issuer}}}", f"{issuer}, only: {codes}}}")))
    assert problem.key.startswith("issuer.only")
