from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas import catalogue
from schemas.catalogue import BASE, DEFINITIONS, Catalogue
from schemas.errors import SchemaError, UnknownSchema
from schemas.reference import check_schema
from schemas.validation import validator

DATASETS = [
    "abnormal_operation",
    "administrative_licence",
    "administrative_penalty",
    "food_business_licence",
    "legal_entity",
    "red_list",
    "serious_dishonesty",
    "social_insurance",
    "tax_arrears",
    "tax_credit_rating",
    "tax_registration",
    "utility_payment",
]


def write(folder: Path, reference: str, schema: Any) -> Catalogue:
    dataset, major = reference.split("@")
    path = folder / dataset / f"{major}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
    return Catalogue((DEFINITIONS, folder))


def test_the_twelve_datasets_are_there_and_the_common_types_are_none() -> None:
    assert [f"{name}@1" for name in DATASETS] == catalogue.references()


@pytest.mark.parametrize("path", sorted(DEFINITIONS.glob("*/*.json")), ids=lambda path: path.parent.name)
def test_every_definition_is_a_json_schema_of_2020_12(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))

    check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert f"{BASE}{path.parent.name}/{path.name}" == schema["$id"]


@pytest.mark.parametrize("reference", catalogue.references())
def test_every_field_has_a_title_in_both_languages_and_bounds(reference: str) -> None:
    schema = catalogue.schema(reference)

    assert schema["additionalProperties"] is False
    assert all(catalogue.title(reference))
    for pointer, field in catalogue.properties({"properties": schema["properties"]}):
        assert field["title"], pointer
        assert field["x-title-en"].isascii(), pointer
        bounded = {"enum", "format", "pattern", "maxLength", "maximum", "maxItems", "additionalProperties"}
        assert bounded & set(field), pointer


@pytest.mark.parametrize("reference", catalogue.references())
def test_a_schema_is_complete_in_itself(reference: str) -> None:
    check_schema(catalogue.schema(reference))
    assert '"$ref"' not in json.dumps(catalogue.schema(reference))
    assert catalogue.entity_field(reference) == "uscc"


def test_numbers_and_names_of_natural_persons_are_marked_as_personal() -> None:
    assert {"/holder_name", "/holder_code", "/legal_representative", "/legal_representative_id"} == (
        catalogue.personal_fields("administrative_penalty@1")
    )
    assert {"/legal_representative"} == catalogue.personal_fields("legal_entity@1")


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("administrative_licence@1", code)
        for code in [
            "XK_XDR_MC",
            "XK_XDR_LB",
            "XK_XDR_SHXYM",
            "XK_XDR_GSZC",
            "XK_XDR_ZZJG",
            "XK_XDR_SWDJ",
            "XK_XDR_SYDW",
            "XK_XDR_SHZZ",
            "XK_FRDB",
            "XK_FR_ZJLX",
            "XK_FR_ZJHM",
            "XK_XDR_ZJLX",
            "XK_XDR_ZJHM",
            "XK_XKWS",
            "XK_WSH",
            "XK_XKLB",
            "XK_XKZS",
            "XK_XKBH",
            "XK_NR",
            "XK_JDRQ",
            "XK_YXQZ",
            "XK_YXQZI",
            "XK_XKJG",
            "XK_XKJGDM",
            "XK_ZT",
            "XK_LYDW",
            "XK_LYDWDM",
            "BZ",
            "XK_XMMC",
            "XK_SPLB",
            "XK_XDR",
            "XK_XDR_ZDM",
            "XK_XDR_GSDJ",
            "XK_XDR_SFZ",
            "XK_FR",
            "XK_JZQ",
            "XK_XZJG",
            "DFBM",
            "SJC",
            "XK_SYFW",
        ]
    ]
    + [
        ("administrative_penalty@1", code)
        for code in [
            "CF_XDR_MC",
            "CF_XDR_LB",
            "CF_XDR_SHXYM",
            "CF_XDR_GSZC",
            "CF_XDR_ZZJG",
            "CF_XDR_SWDJ",
            "CF_XDR_SYDW",
            "CF_XDR_SHZZ",
            "CF_FRDB",
            "CF_FR_ZJLX",
            "CF_FR_ZJHM",
            "CF_XDR_ZJLX",
            "CF_XDR_ZJHM",
            "CF_WSH",
            "CF_WFXW",
            "CF_SY",
            "CF_YJ",
            "CF_CFLB",
            "CF_NR",
            "CF_NR_FK",
            "CF_NR_WFFF",
            "CF_NR_ZKDX",
            "CF_JDRQ",
            "CF_YXQ",
            "CF_GSJZQ",
            "CF_CFJG",
            "CF_CFJGDM",
            "CF_SJLY",
            "CF_SJLYDM",
            "BZ",
            "CF_CFMC",
            "CF_CFLB1",
            "CF_JG",
            "CF_XZJG",
            "CF_ZT",
            "CF_AJMC",
            "CF_SYFW",
        ]
    ],
)
def test_the_codes_of_both_editions_find_a_field(reference: str, code: str) -> None:
    fields = catalogue.schema(reference)["properties"].values()

    assert any(code in {field.get("x-code"), field.get("x-code-2015")} for field in fields)


def test_the_caller_may_change_its_copy_of_a_schema() -> None:
    catalogue.schema("legal_entity@1")["properties"].clear()

    assert catalogue.schema("legal_entity@1")["properties"]


@pytest.mark.parametrize(
    "reference", ["nothing@1", "legal_entity@2", "legal_entity", "../legal_entity@1", "legal_entity@01", ""]
)
def test_an_unknown_schema_is_named_with_those_that_there_are(reference: str) -> None:
    with pytest.raises(UnknownSchema, match="legal_entity@1"):
        catalogue.schema(reference)


def test_a_city_adds_datasets_of_its_own_that_use_the_common_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        "shop_licence@3",
        {
            "title": "店铺许可",
            "type": "object",
            "required": ["account"],
            "properties": {
                "account": {"$ref": "../common/1.json#/$defs/holder_code", "title": "账号", "x-personal": True},
                "kind": {"$ref": "#/$defs/kind"},
            },
            "$defs": {"kind": {"title": "种类", "enum": ["a", "b"]}},
        },
    )
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(tmp_path))

    assert "shop_licence@3" in catalogue.references()
    assert catalogue.title("shop_licence@3") == ("店铺许可", "店铺许可")
    assert catalogue.entity_field("shop_licence@3") is None
    assert {"/account"} == catalogue.personal_fields("shop_licence@3")
    assert validator("shop_licence@3").is_valid({"account": "US-1", "kind": "a"})
    assert [(v.pointer, v.rule) for v in validator("shop_licence@3").violations({"kind": "c"})] == [
        ("/account", "required"),
        ("/kind", "enum"),
    ]


def test_a_schema_added_later_is_found_without_restart(tmp_path: Path) -> None:
    first = write(tmp_path, "one@1", {})
    write(tmp_path, "two@1", {})

    assert {"one@1", "two@1"} <= set(first.references())
    assert {"$id": f"{BASE}two/1.json"} == first.schema("two@1")


BROKEN = {
    "not JSON": ("{", "not JSON"),
    "no object": ([], "a schema is a JSON object, got list"),
    "a foreign id": ({"$id": "https://example.org/x"}, r"\$id is 'https://example.org/x', expected"),
    "a reference to the network": ({"$ref": "https://example.org/x"}, "leads out of the catalogue; nothing is fetched"),
    "a reference to a file": ({"$ref": "file:///etc/passwd"}, "leads out of the catalogue"),
    "a reference to nothing": ({"$ref": "../common/1.json#/$defs/nothing"}, "names nothing"),
    "a reference to no schema": ({"$ref": "../nothing/1.json"}, "names nothing"),
    "a reference to itself": (
        {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
        "refers to itself",
    ),
}


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_definition_is_named_with_its_file(flaw: str, tmp_path: Path) -> None:
    schema, message = BROKEN[flaw]
    broken = write(tmp_path, "own@1", schema)

    with pytest.raises(SchemaError, match=message) as caught:
        broken.schema("own@1")
    assert str(tmp_path) in str(caught.value)


def test_rules_beside_a_reference_are_added_to_those_it_names(tmp_path: Path) -> None:
    own = write(
        tmp_path, "own@1", {"properties": {"x": {"$ref": "../common/1.json#/$defs/short_text", "maxLength": 3}}}
    )
    short = validator("own@1", own)

    assert short.is_valid({"x": "abc"})
    assert not short.is_valid({"x": "abcd"})
    assert not short.is_valid({"x": ""})
