"""Rows become records: every rule, every form that real registers hold, and a refusal in words for the rest."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.errors import ManifestError, RowRefused, SourceColumnsChanged
from connectors.manifest import Bilingual, Limits, Manifest, Operation, Owner, SourceSection, Tombstone
from connectors.mapping import Problem, compile_mapping
from connectors.mapping.fields import CACHED_VALUES
from connectors.mapping.numbers import canonical

Apply = Callable[..., Any]


def manifest(mapping: dict[str, Any], **changes: Any) -> Manifest:
    given: dict[str, Any] = {
        "connector": "market.enterprise",
        "title": Bilingual("企业", "Enterprise"),
        "department": "market",
        "owner": Owner("数据室", "a@b"),
        "legal_basis": "条例",
        "source": SourceSection("sql"),
        "dataset": "legal_entity",
        "schema": "legal_entity@1",
        "key": ("uscc",),
        "mapping": mapping,
        "schedule": None,
        "path": Path("a.yaml"),
        "digest": "",
    }
    return Manifest(**{**given, **changes})


def one(rule: dict[str, Any], *values: Any, field: str = "name", **changes: Any) -> Any:
    """The record's value for one row, or the Problem."""
    columns = rule.get("from", [])
    columns = [columns] if isinstance(columns, str) else columns
    bound = compile_mapping(manifest({field: rule}, **changes)).bind(columns or ["x"])
    (record,), problems = bound.apply([values or (1,)])
    if record is None:
        (problem,) = problems[0]
        return problem
    return record.get(field)


def refused(rule: dict[str, Any], value: Any, **changes: Any) -> Problem:
    found = one(rule, value, **changes)
    assert isinstance(found, Problem), found
    assert found.zh
    assert found.en
    assert found.en.isprintable(), "a message must be storable"
    return found


A: dict[str, Any] = {"from": "a"}

TEXTS: list[tuple[str, Any, Any]] = [
    ("text", "  深圳 ", "深圳"),
    ("text", "　深圳　", "深圳"),
    ("text", "e\u0301", "é"),
    ("text", "", None),
    ("text", "   ", None),
    ("text", None, None),
    ("text", "N/A", None),
    ("text", "-", None),
    ("text", 5, "5"),
    ("text", 5.0, "5"),
    ("text", 0.1, "0.1"),
    ("text", Decimal("1E+3"), "1000"),
    ("text", True, "true"),
    ("text", dt.date(2026, 1, 2), "2026-01-02"),
    ("text", uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ("upper", "９１ab", "91AB"),
    ("upper", "91ab c", "91AB C"),
    ("lower", "AbÉ", "abé"),
    ("code", " 91 44\u200b００ ", "914400"),
    ("company_name", "深圳(科技) 有限公司", "深圳（科技）有限公司"),
    ("company_name", "深圳（科技）有限公司", "深圳（科技）有限公司"),
    ("company_name", "ＡＢＣ　科技(深圳)有限公司", "ABC科技（深圳）有限公司"),
    ("company_name", "Acme （China）  Ltd.", "Acme (China) Ltd."),
    ("company_name", "Acme  China 有限公司", "Acme China有限公司"),
    ("company_name", "\ufeff深圳", "深圳"),
    ("company_name", "\u200b", None),
    ("integer", "1,234", 1234),
    ("integer", " １２ ", 12),
    ("integer", 12.0, 12),
    ("integer", Decimal("12.00"), 12),
    ("integer", "-0", 0),
    ("decimal", "1,234.50", "1234.5"),
    ("decimal", Decimal("1E+2"), "100"),
    ("decimal", "3.2E-4", "0.00032"),
    ("decimal", 0.1, "0.1"),
    ("decimal", "-0.00", "0"),
    ("boolean", "是", True),
    ("boolean", "N", False),
    ("boolean", 1, True),
    ("boolean", False, False),
    ("date", dt.date(2026, 1, 2), "2026-01-02"),
    ("date", dt.datetime(2026, 1, 2, 23, 0, tzinfo=dt.UTC), "2026-01-03"),
    ("date", dt.datetime(2026, 1, 2, 23), "2026-01-02"),  # noqa: DTZ001
    ("date", "2026-01-02", "2026-01-02"),
    ("date", "20260102", "2026-01-02"),
    ("date", "2026/1/2", "2026-01-02"),
    ("date", "2026年1月2日", "2026-01-02"),
    ("date", "2026-01-02 10:11:12", "2026-01-02"),
    ("date", "２０２６-01-02", "2026-01-02"),
    ("datetime", "2026-01-02T03:04:05Z", "2026-01-02T11:04:05+08:00"),
    ("datetime", "2026-01-02 03:04:05.1234567 +0000", "2026-01-02T11:04:05.123456+08:00"),
    ("datetime", "2026-01-02 03:04", "2026-01-02T03:04:00+08:00"),
    ("datetime", dt.datetime(1988, 7, 1, 12), "1988-07-01T12:00:00+09:00"),  # noqa: DTZ001
    ("datetime", dt.datetime(1880, 7, 1, 12), "1880-07-01T03:54:17+00:00"),  # noqa: DTZ001
    ("datetime", dt.date(2026, 1, 2), "2026-01-02T00:00:00+08:00"),
    ("value", [1, "a", None, {"b": None, "c": 1.0}], [1, "a", {"c": 1}]),
    ("value", {}, None),
    ("value", 1.5, 1.5),
    ("list", "a, b,,c", ["a", "b", "c"]),
    ("list", ["a ", None], ["a"]),
]


@pytest.mark.parametrize(("kind", "value", "expected"), TEXTS)
def test_values_are_taken(kind: str, value: Any, expected: Any) -> None:
    assert one({**A, "as": kind}, value) == expected


REFUSED: list[tuple[str, Any, str]] = [
    ("text", "a\0b", "mapping.nul"),
    ("text", "a\ud800", "mapping.surrogate"),
    ("company_name", "a\ud800(", "mapping.surrogate"),
    ("text", float("nan"), "mapping.text"),
    ("text", Decimal("Infinity"), "mapping.text"),
    ("text", Decimal("1E+999999"), "mapping.text"),
    ("text", b"abc", "mapping.text"),
    ("text", {"a": 1}, "mapping.text"),
    ("integer", "12.5", "mapping.integer"),
    ("integer", 2**53, "mapping.range"),
    ("integer", "1e999", "mapping.range"),
    ("integer", "1e-999", "mapping.integer"),
    ("integer", float("inf"), "mapping.integer"),
    ("integer", "x", "mapping.integer"),
    ("integer", True, "mapping.integer"),
    ("decimal", "NaN", "mapping.number"),
    ("decimal", float("nan"), "mapping.number"),
    ("decimal", "1e400", "mapping.range"),
    ("decimal", Decimal("1e-400"), "mapping.range"),
    ("decimal", "12,34", "mapping.number"),
    ("decimal", "(500)", "mapping.number"),
    ("decimal", "9" * 1000, "mapping.too_long"),
    ("decimal", [1], "mapping.number"),
    ("boolean", "maybe", "mapping.boolean"),
    ("boolean", 2, "mapping.boolean"),
    ("date", "0000-00-00", "mapping.date"),
    ("date", "2026-02-30", "mapping.date"),
    ("date", "2026102", "mapping.date"),
    ("date", "infinity", "mapping.date"),
    ("date", 20260102, "mapping.date"),
    ("datetime", "10000-01-01T00:00:00Z", "mapping.datetime"),
    ("datetime", "2026-01-02T25:00:00Z", "mapping.datetime"),
    ("datetime", dt.datetime(9999, 12, 31, 23, tzinfo=dt.UTC), "mapping.datetime"),
    ("value", {"a": ["x\0"]}, "mapping.nul"),
    ("value", float("inf"), "mapping.text"),
    ("list", ["a\0"], "mapping.nul"),
]


@pytest.mark.parametrize(("kind", "value", "rule"), REFUSED)
def test_values_are_refused_with_place_and_cause(kind: str, value: Any, rule: str) -> None:
    problem = refused({**A, "as": kind}, value)

    assert (problem.pointer, problem.rule) == ("/name", rule)
    assert "got" in problem.en
    assert "expected" in problem.en
    assert "应为" in problem.zh


MONEY = [
    ("6,209(万元人民币)", "6209", "万元", "CNY"),
    ("52.247万人民币", "52.247", "万元", "CNY"),
    ("200(万元人民币)", "200", "万元", "CNY"),
    ("2150万人民币", "2150", "万元", "CNY"),
    ("50(万)", "50", "万元", "CNY"),
    ("100万美元", "100", "万元", "USD"),
    ("30(万日元)", "30", "万元", "JPY"),
    ("3.2E-4万人民币", "0.00032", "万元", "CNY"),
    ("6，209（万元人民币）", "6209", "万元", "CNY"),
    ("人民币100万元", "100", "万元", "CNY"),
    ("100 万 港元", "100", "万元", "HKD"),
    ("USD 5", "5", "元", "USD"),
    ("1亿元", "10000", "万元", "CNY"),
    ("5千元", "5000", "元", "CNY"),
    ("100元", "100", "元", "CNY"),
    (1234.5, "1234.5", "元", "CNY"),
    ("-5", "-5", "元", "CNY"),
]


@pytest.mark.parametrize(("value", "amount", "unit", "currency"), MONEY)
def test_money_is_read_as_registers_write_it(value: Any, amount: str, unit: str, currency: str) -> None:
    assert one({**A, "as": "money"}, value) == {"amount": amount, "unit": unit, "currency": currency}


@pytest.mark.parametrize("value", ["万人民币", "N/A", "-", "万元", "", None, "(万元)人民币"])
def test_no_amount_is_no_value(value: Any) -> None:
    bound = compile_mapping(manifest({"name": {**A, "as": "money"}})).bind(["a"])
    (record,), problems = bound.apply([(value,)])

    assert record == {} or (value == "(万元)人民币" and problems)


def test_units_are_converted() -> None:
    rule = {**A, "as": "money", "unit": "万元", "source_unit": "元", "currency": "HKD"}

    assert one(rule, 20000) == {"amount": "2", "unit": "万元", "currency": "HKD"}
    assert one(rule, "3亿美元") == {"amount": "30000", "unit": "万元", "currency": "USD"}
    assert one({**A, "as": "decimal", "unit": "万元"}, "522470元") == "52.247"
    assert one({**A, "as": "decimal", "unit": "万元"}, "52.247") == "52.247"
    assert one({**A, "as": "money", "source_unit": "万元"}, "500人民币")["unit"] == "万元"
    refused({**A, "as": "money"}, "100美元人民币")
    refused({**A, "as": "money"}, "12万abc")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15))
def test_amounts_lose_nothing(number: Decimal) -> None:
    text = canonical(number)

    assert text is not None
    assert Decimal(text) == number
    assert canonical(Decimal(text)) == text
    for form in (f"{number:,f}(万元人民币)", f"{number:E}万人民币", f"{number:f} 万元"):
        found = one({**A, "as": "money"}, form)
        assert found == {"amount": text, "unit": "万元", "currency": "CNY"}


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y年%m月%d日"]))
def test_dates_come_back(day: dt.date, form: str) -> None:
    text = form.replace("%Y", f"{day.year:04d}").replace("%m", f"{day.month:02d}").replace("%d", f"{day.day:02d}")

    assert one({**A, "as": "date"}, text) == day.isoformat()
    assert one({**A, "as": "date", "formats": [form]}, text) == day.isoformat()


@given(st.datetimes(min_value=dt.datetime(1902, 1, 1), max_value=dt.datetime(9998, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_instants_come_back(moment: dt.datetime) -> None:
    found = one({**A, "as": "datetime"}, moment)

    assert dt.datetime.fromisoformat(found) == moment.astimezone(dt.UTC)
    assert one({**A, "as": "datetime"}, found) == found


@example("\u0339 \u0334")  # marks that only stand in their order once the space between them is gone
@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    for kind in ("text", "company_name", "upper", "code", "date", "money", "integer", "value"):
        found = one({**A, "as": kind}, text)
        if isinstance(found, str):
            assert found
            assert found == one({**A, "as": kind, "empty": []}, found), "applying a rule twice changes nothing"


def test_formats_are_tried_in_order_and_epochs_are_times() -> None:
    assert one({**A, "as": "date", "formats": ["%d.%m.%Y", "%m/%d/%y"]}, "02.01.2026") == "2026-01-02"
    assert one({**A, "as": "date", "formats": ["%d.%m.%Y", "%m/%d/%y"]}, "01/02/26") == "2026-01-02"
    refused({**A, "as": "date", "formats": ["%d.%m.%Y"]}, "2026-01-02")
    assert one({**A, "as": "datetime", "formats": ["epoch_ms"]}, "1700000000000") == "2023-11-15T06:13:20+08:00"
    assert one({**A, "as": "datetime", "formats": ["epoch"]}, 0) == "1970-01-01T08:00:00+08:00"
    refused({**A, "as": "datetime", "formats": ["epoch"]}, "nan")
    refused({**A, "as": "datetime", "formats": ["epoch"]}, 10**18)
    assert one({**A, "as": "datetime", "timezone": "UTC"}, "2026-01-02 00:00") == "2026-01-02T00:00:00+00:00"


def test_codes() -> None:
    rule = {**A, "codes": {"开业": "active", "吊销(未注销)": "revoked", "1": True, "-": "none"}}

    assert one(rule, " 开业 ") == "active"
    assert one(rule, "吊销（未注销）") == "revoked"
    assert one(rule, 1) is True
    assert one(rule, "-") == "none"
    assert one(rule, "N/A") is None
    problem = refused(rule, "停业")
    assert problem.rule == "mapping.code"
    assert "开业" in problem.en
    assert one({**rule, "unknown": "other"}, "停业") == "other"
    assert one({**rule, "keep_unknown": True}, " 停业") == "停业"
    assert one({**A, "as": "upper", "codes": {"a": 1}}, "Ａ") == 1


def test_constants_defaults_joins_and_functions() -> None:
    assert one({"constant": "CN"}) == "CN"
    assert one({**A, "default": "none"}, " ") == "none"
    assert one({"from": ["a", "b", "c"], "separator": " "}, "广东", None, " 深圳 ") == "广东 深圳"
    assert one({"from": ["a", "b"], "combine": "first", "as": "date"}, "-", "2026-01-02") == "2026-01-02"
    assert one({"from": ["a", "b"], "combine": "first"}, None, None) is None
    here = "tests.connectors.mapping.test_mapping"
    assert one({"from": ["a", "b"], "function": f"{here}:area"}, 3, 4) == 12
    assert one({**A, "function": f"{here}:picky"}, "good") == "good"
    assert refused({**A, "function": f"{here}:picky"}, "bad").rule == "department.picky"
    problem = refused({**A, "function": f"{here}:picky"}, None)
    assert problem.rule == "mapping.function"
    assert "AttributeError" in problem.en
    with pytest.raises(ManifestError, match=r"mapping\.name\.function.*cannot be loaded"):
        compile_mapping(manifest({"name": {**A, "function": "no_such:thing"}}))


def area(width: int, height: int) -> int:
    return width * height


def picky(value: str) -> str:
    if value.startswith("bad"):
        raise RowRefused("department.picky", "好值", "a good value")
    return value


def test_nested_sources_and_targets() -> None:
    mapping = compile_mapping(
        manifest({"holder.code": {"from": "doc.id"}, "holder.type": {"from": "t"}, "name": {"from": "doc.names.0"}})
    )
    bound = mapping.bind(["t", "doc"])

    records, _ = bound.apply([("A", {"id": 7, "names": ["x"]}), (None, None), (None, '{"id": "8"}'), (None, "{bad")])

    assert records[0] == {"holder": {"code": "7", "type": "A"}, "name": "x"}
    assert records[1] == {}
    assert records[2] == {"holder": {"code": "8"}}
    assert records[3] is None
    assert mapping.source_columns == ("doc.id", "t", "doc.names.0")
    assert mapping.bind(["doc.id", "t", "doc.names.0"]).apply([("1", None, None)])[0] == [{"holder": {"code": "1"}}]


def test_missing_columns_are_named_and_optional_ones_may_lack() -> None:
    mapping = compile_mapping(
        manifest(
            {"uscc": {"from": "code"}, "name": {"from": "nm", "optional": True}},
            source=SourceSection("sql", row_id=("id",)),
        )
    )

    with pytest.raises(SourceColumnsChanged) as caught:
        mapping.bind(["coed", "x"])
    assert caught.value.missing == ["code", "id"]
    assert caught.value.guesses == {"code": "coed"}
    assert mapping.bind(["code", "id"]).apply([("a", 1)])[0] == [{"uscc": "a"}]


def test_deletions_and_keys() -> None:
    rules = {"uscc": {"from": "code"}, "established_on": {"from": "day", "as": "date"}}
    source = SourceSection("sql", row_id=("id", "code"), operation=Operation("op", frozenset({"d", "3"})))
    bound = compile_mapping(manifest(rules, source=source)).bind(["id", "code", "day", "op"])
    rows = [(1, "a", "bad", "d "), (2, "b", None, 3), (3, "c", None, None)]

    assert bound.deletions(rows) == [True, True, False]
    assert bound.keys(rows) == ([{"uscc": "a"}, {"uscc": "b"}, {"uscc": "c"}], {})
    assert bound.apply(rows)[0][0] is None
    for tombstone, expected in [
        (Tombstone("op"), [True, True, False]),
        (Tombstone("op", frozenset({"3"})), [False, True, False]),
    ]:
        source = SourceSection("sql", row_id=("id",), tombstone=tombstone)
        bound = compile_mapping(manifest(rules, source=source)).bind(["id", "code", "day", "op"])
        assert bound.deletions(rows) == expected
    assert compile_mapping(manifest(rules)).bind(["code", "day"]).deletions([("a", None)]) is None


def test_a_refused_row_tells_all_that_is_wrong_and_harms_no_other() -> None:
    rules = {"uscc": {"from": "a"}, "established_on": {"from": "b", "as": "date"}, "name": {"from": "c"}}
    bound = compile_mapping(manifest(rules)).bind(["a", "b", "c"])

    records, problems = bound.apply([("1", "2026-01-01", "x"), ("2", "bad", "y\0"), ("3", None, "z")])

    assert records == [{"uscc": "1", "established_on": "2026-01-01", "name": "x"}, None, {"uscc": "3", "name": "z"}]
    assert [problem.pointer for problem in problems[1]] == ["/established_on", "/name"]
    assert bound.apply([]) == ([], {})


def test_personal_values_are_masked_and_long_ones_cut() -> None:
    bound = compile_mapping(manifest({"legal_representative": A})).bind(["a"])
    (problem,) = bound.apply([("张三丰\0",)])[1][0]
    assert "张三丰" not in problem.en + problem.zh
    problem = refused({**A, "as": "date"}, "x" * 150)
    assert len(problem.en) < 250
    assert refused(A, "长" * 400, limits=Limits(max_field=1000)).rule == "mapping.too_long"


def test_types_that_are_equal_in_python_stay_apart() -> None:
    bound = compile_mapping(manifest({"name": {**A, "codes": {"1": "one", "true": "yes"}}})).bind(["a"])

    assert [record and record["name"] for record in bound.apply([(1,), (True,), (1.0,)])[0]] == ["one", "yes", "one"]
    assert bound.apply([(True,)])[0] == [{"name": "yes"}]


def test_the_cache_is_bounded() -> None:
    bound = compile_mapping(manifest({"name": {**A, "as": "integer"}})).bind(["a"])
    for start in range(0, 3 * CACHED_VALUES, 5_000):
        bound.apply([(number,) for number in range(start, start + 5_000)])
    (target,) = bound._mapping.targets

    assert all(len(cache) <= CACHED_VALUES for cache in target.field.caches.values())  # type: ignore[union-attr]


def test_a_hundred_megabytes_in_one_field_cost_little() -> None:
    bound = compile_mapping(
        manifest(
            {"name": A, "established_on": {"from": "a", "as": "date"}, "status": {"from": "a", "codes": {"x": "y"}}}
        )
    ).bind(["a"])
    start = time.process_time()
    _, problems = bound.apply([("9" * 100_000_000,)])

    assert {problem.rule for problem in problems[0]} == {"mapping.too_long"}
    assert all(len(problem.en) < 300 for problem in problems[0])
    assert time.process_time() - start < 5
