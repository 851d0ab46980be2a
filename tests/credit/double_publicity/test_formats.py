"""Both editions out, and in again by the hub's own connectors: nothing is lost but what a format has no column for."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.manifest import DEPARTMENTS, load
from connectors.mapping import Mapping as RowMapping
from connectors.mapping import compile_mapping
from registry.api.credit.double_publicity_answers import as_csv
from registry.domain.credit.double_publicity import (
    FOLDER,
    OBJECTION,
    Format,
    TableName,
    default_formats,
    exchange_row,
    load_formats,
    not_held,
)
from registry.domain.credit.readers import default_reader_rules, shown_record, view
from registry.domain.credit.record_facts import in_yuan
from registry.domain.credit.rule_files import RuleFileError
from schemas import code_lists
from schemas.catalogue import default_catalogue
from tests.credit.enterprise_file.town import uscc

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
CONNECTORS: Mapping[tuple[str, TableName], str] = {
    ("new", "penalties"): "penalties",
    ("new", "permits"): "permits",
    ("old", "penalties"): "penalties-old-edition",
    ("old", "permits"): "permits-old-edition",
}
BOTH = tuple(CONNECTORS)
ALSO_IN: Mapping[tuple[str, TableName], Mapping[str, str]] = {
    ("new", "penalties"): {
        "registration_number": "CF_XDR_GSZC",
        "organisation_code": "CF_XDR_ZZJG",
        "tax_registration_number": "CF_XDR_SWDJ",
        "institution_certificate_number": "CF_XDR_SYDW",
        "social_organisation_number": "CF_XDR_SHZZ",
    },
    ("new", "permits"): {
        "registration_number": "XK_XDR_GSZC",
        "organisation_code": "XK_XDR_ZZJG",
        "tax_registration_number": "XK_XDR_SWDJ",
        "institution_certificate_number": "XK_XDR_SYDW",
        "social_organisation_number": "XK_XDR_SHZZ",
    },
    ("old", "penalties"): {
        "tax_registration_number": "CF_XDR_SWDJ",
        "public_until": '{from: CF_GSJZQ, as: date, formats: ["%Y/%m/%d"]}',
    },
    ("old", "permits"): {"tax_registration_number": "XK_XDR_SWDJ"},
}
"""Columns of the editions that the demo city's departments do not send, so that its connectors do not read them."""
PAGE = (Path(__file__).parents[3] / "docs" / "double-publicity.md").read_text("utf-8")


@cache
def connector(edition: str, table: TableName) -> RowMapping:
    """The hub's connector of an edition, with the columns that the demo city's departments do not send."""
    text = (DEPARTMENTS / "credit" / f"{CONNECTORS[edition, table]}.yaml").read_text("utf-8")
    more = "".join(
        f"  {name}: {rule}\n"
        for name, rule in ALSO_IN[edition, table].items()
        if not re.search(rf"^  {name}:", text, re.MULTILINE)
    )
    text = text.replace("mapping:\n", f"mapping:\n{more}", 1)
    text = text.replace("登记: registration}", "登记: registration, 其他: other}")
    with TemporaryDirectory() as folder:
        place = Path(folder) / "credit" / f"{CONNECTORS[edition, table]}.yaml"
        place.parent.mkdir()
        place.write_text(text, "utf-8")
        return compile_mapping(load(place))


def read_back(edition: str, table: TableName, rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The rows as the hub's connector of that edition reads them."""
    columns = [*rows[0], "ID"]
    bound = connector(edition, table).bind(columns)
    records, problems = bound.apply([tuple({**row, "ID": "1"}[name] for name in columns) for row in rows])
    assert problems == {}
    return [record for record in records if record is not None]


def name_like() -> st.SearchStrategy[str]:
    return st.text("桥州天成餐饮服务中山东路甲乙丙0123456789", min_size=1, max_size=30)


def sentence() -> st.SearchStrategy[str]:
    characters = '经营超过保质期的食品，罚款2000元；没收违法所得"。,\n（）'
    return st.text(characters, min_size=1, max_size=80).map(str.strip).filter(bool)


def day() -> st.SearchStrategy[str]:
    return st.dates(date(2015, 1, 1), date(2099, 12, 31)).map(str)


def money() -> st.SearchStrategy[dict[str, str]]:
    amounts = st.decimals("0", "99999999", places=2, allow_nan=False).map(lambda value: f"{value:f}")
    return st.builds(
        lambda amount, unit: {"amount": plain(amount), "unit": unit, "currency": "CNY"},
        amounts,
        st.sampled_from(["元", "万元"]),
    )


def plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


OF_BOTH: dict[str, st.SearchStrategy[Any]] = {
    "holder_name": name_like(),
    "holder_kind": st.just("legal_person"),
    "uscc": st.integers(1, 99_999_999).map(uscc),
    "registration_number": st.integers(1, 9_999).map(lambda number: f"{330203000000000 + number}"),
    "organisation_code": st.just("MA1FL00A0"),
    "tax_registration_number": st.integers(1, 99_999).map(str),
    "institution_certificate_number": st.integers(1, 99_999).map(str),
    "social_organisation_number": st.integers(1, 99_999).map(str),
    "decision_number": st.integers(1, 999).map(lambda number: f"桥市监〔2026〕{number}号"),
    "content": sentence(),
    "decided_on": day(),
    "authority": name_like(),
    "authority_code": st.integers(1, 999).map(uscc),
    "source_unit": name_like(),
    "source_unit_code": st.integers(1, 999).map(uscc),
    "division": st.just("330203"),
    "use_scope": st.just("public"),
    "remark": sentence(),
    "legal_representative": st.just("司马仲达"),
    "legal_representative_id": st.just("11010519491231002X"),
}
PENALTY = OF_BOTH | {
    "case_name": name_like(),
    "violation_kind": name_like(),
    "facts": sentence(),
    "legal_basis": sentence(),
    "penalty_kinds": st.lists(
        st.sampled_from([entry.code for entry in code_lists.load("penalty_kinds")]), min_size=1, max_size=5, unique=True
    ),
    "fine": money(),
    "confiscated": money(),
    "licences_withdrawn": name_like(),
    "effective_until": day(),
    "public_until": day(),
    "status": st.sampled_from(["valid", "other"]),
}
PERMIT = OF_BOTH | {
    "decision_title": name_like(),
    "project_name": name_like(),
    "licence_category": st.sampled_from(
        ["ordinary", "concession", "qualification", "verification", "registration", "other"]
    ),
    "licence_name": name_like(),
    "licence_number": st.integers(1, 99_999).map(str),
    "valid_from": day(),
    "valid_to": day(),
    "status": st.just("valid"),
}
SCHEMAS: Mapping[TableName, str] = {"penalties": "administrative_penalty@1", "permits": "administrative_licence@1"}
FIELDS: Mapping[TableName, dict[str, st.SearchStrategy[Any]]] = {"penalties": PENALTY, "permits": PERMIT}


def record(table: TableName) -> st.SearchStrategy[dict[str, Any]]:
    """A record with everything that the schema requires and some of the rest."""
    required = {"uscc", *default_catalogue().schema(SCHEMAS[table])["required"]}
    fields = FIELDS[table]
    return st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in required},
        optional={name: fields[name] for name in fields if name not in required},
    )


def comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts in yuan, in whichever unit they stand."""
    return {name: in_yuan(value) if name in {"fine", "confiscated"} else value for name, value in body.items()}


def held_fields(format_: Format, table: TableName) -> set[str]:
    return {column.field for column in format_.tables[table].columns if column.field is not None}


@pytest.mark.parametrize(("edition", "table"), BOTH)
@settings(deadline=None)
@given(data=st.data())
def test_what_goes_out_comes_in_again_as_far_as_the_columns_go(
    edition: str, table: TableName, data: st.DataObject
) -> None:
    format_, schema, disputed = default_formats()[edition], SCHEMAS[table], data.draw(st.booleans())
    bodies = data.draw(st.lists(record(table), min_size=1, max_size=5))
    shown = [shown_record(body, schema, "legal_person", "public") for body in bodies]
    rows = [dict(exchange_row(format_, format_.tables[table], each, NOW, disputed=disputed).values) for each in shown]

    again = read_back(edition, table, rows)

    held = held_fields(format_, table)
    for public, found in zip(shown, again, strict=True):
        expected = comparable({name: value for name, value in public.items() if name in held})
        if edition == "old":
            expected["status"] = "objection" if disputed and table == "penalties" else expected.get("status", "valid")
        got = comparable(found)
        assert got.pop("remark", None) == (OBJECTION if disputed else None)
        assert got.pop("use_scope", "public") == "public"
        got.pop("source_time")
        assert got == expected
        assert public.keys() - held == public.keys() & set(not_held(format_.tables[table], schema))
    twice = [
        dict(exchange_row(format_, format_.tables[table], shown_record(each, schema, "legal_person", "public"), NOW,
                          disputed=disputed).values)
        for each in again
    ]  # fmt: skip
    new_kind = {"CF_XDR_LB", "XK_XDR_LB"}  # the old edition does not have it, so that it is not there to compare
    assert [{k: v for k, v in row.items() if k not in new_kind} for row in twice] == [
        {k: v for k, v in row.items() if k not in new_kind} for row in rows
    ]


@pytest.mark.parametrize(("edition", "table"), BOTH)
def test_every_column_holds_a_field_that_the_schema_knows_by_that_code(edition: str, table: TableName) -> None:
    properties = default_catalogue().schema(SCHEMAS[table])["properties"]
    code = "x-code" if edition == "new" else "x-code-2015"

    for column in default_formats()[edition].tables[table].columns:
        if column.field is not None:
            assert properties[column.field][code] == column.name, column


@pytest.mark.parametrize(("edition", "table"), BOTH)
def test_no_column_has_what_the_public_does_not_see(edition: str, table: TableName) -> None:
    format_ = default_formats()[edition]
    public = view(SCHEMAS[table], "legal_person", "public").fields

    assert held_fields(format_, table) - public == {"legal_representative"}
    assert not held_fields(format_, table) & default_reader_rules().never_shown


@pytest.mark.parametrize(("edition", "table"), BOTH)
def test_the_page_says_what_an_edition_cannot_hold(edition: str, table: TableName) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{edition}` | `{table}` |")]

    said = {name.strip().strip("`") for name in row.split("|")[3].split(",")}
    assert said == set(not_held(default_formats()[edition].tables[table], SCHEMAS[table]))


@pytest.mark.parametrize(
    ("amount", "unit", "currency", "written", "problem"),
    [
        ("2000", "元", "CNY", "0.2", None),
        ("0.2", "万元", "CNY", "0.2", None),
        ("0", "元", "CNY", "0", None),
        ("0.01", "元", "CNY", "0.000001", None),
        ("123456789012.34", "元", "CNY", "12345678.901234", None),
        ("100000", "元", "CNY", "10", None),
        ("0.001", "元", "CNY", "", "not_expressible"),
        ("2000", "元", "USD", "", "not_expressible"),
    ],
)
def test_amounts_are_in_units_of_ten_thousand_yuan_and_never_rounded(
    amount: str, unit: str, currency: str, written: str, problem: str | None
) -> None:
    format_ = default_formats()["new"]
    shown = {"fine": {"amount": amount, "unit": unit, "currency": currency}}

    row = exchange_row(format_, format_.tables["penalties"], shown, NOW, disputed=False)

    assert row.values["CF_NR_FK"] == written
    assert [each.problem for each in row.problems if each.column == "CF_NR_FK"] == ([problem] if problem else [])
    if written:
        assert Decimal(written) * 10_000 == in_yuan(shown["fine"])


def test_what_the_platform_may_refuse_is_said_with_its_column() -> None:
    format_ = default_formats()["new"]

    row = exchange_row(
        format_, format_.tables["permits"], {"holder_name": "名" * 201, "licence_category": "其它"}, NOW, disputed=False
    )

    problems = {each.column: each.problem for each in row.problems}
    assert problems["XK_XDR_MC"] == "too_long"
    assert problems["XK_XKLB"] == "no_such_code"
    assert problems["XK_WSH"] == "missing"
    assert "XK_FRDB" not in problems


def test_csv_keeps_every_character(tmp_path: Path) -> None:
    format_ = default_formats()["new"]
    shown = {"holder_name": '桥州，天成"餐饮"', "content": "罚款2000元,\n没收"}
    values = exchange_row(format_, format_.tables["penalties"], shown, NOW, disputed=False).values
    said = {"edition": "new", "table": "penalties", "columns": list(values), "publish": [{"columns": values}]}

    (tmp_path / "out.csv").write_text(as_csv(said), "utf-8", newline="")

    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [dict(values)]
    assert next(csv.reader(io.StringIO(as_csv(said)))) == list(values)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("edition: new", "edition: newer", "expected 'new'"),
        ("name: CF_WSH, title: 行政处罚决定书文号", "name: CF_SY, title: 行政处罚决定书文号", "CF_SY stands twice"),
        ("identity: [CF_WSH,", "identity: [CF_NONE,", "CF_NONE is no column"),
        ("says: wan", "says: pounds", "says"),
    ],
)
def test_a_wrong_format_file_is_told_with_its_place(tmp_path: Path, before: str, after: str, said: str) -> None:
    text = (FOLDER / "new.yaml").read_text("utf-8")
    assert before in text
    (tmp_path / "new.yaml").write_text(text.replace(before, after, 1), "utf-8")

    with pytest.raises(RuleFileError) as refused:
        load_formats(tmp_path)

    assert said in str(refused.value)
    assert "new.yaml:" in str(refused.value)
