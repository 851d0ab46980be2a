"""Amounts in decisions' texts are read however they are written; a field in the wrong unit is found, none invented."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.mapping import compile_mapping
from registry.domain.credit.amounts import (
    AmountFinding,
    amount_finding,
    amount_findings,
    amounts_in,
    chinese_number,
    plain_yuan,
)
from registry.domain.credit.record_facts import default_record_rules, in_yuan
from shuqiao.demo.rosters import City
from shuqiao.demo.rows import all_rows
from tests.demo.reading import Pulled, manifest, take

WRITTEN = [
    ("罚款2000元", ["2000"]),
    ("罚款 2,000.00 元", ["2000"]),
    ("罚款２，０００．００元", ["2000"]),
    ("罚款２０００元", ["2000"]),
    ("罚款0.2万元", ["2000"]),
    ("罚款 2 万元整", ["20000"]),
    ("罚款1.5百万元", ["1500000"]),
    ("罚款3千元", ["3000"]),
    ("罚款2万5千元", ["25000"]),
    ("罚款2万3000元", ["23000"]),
    ("罚款1亿2000万元", ["120000000"]),
    ("罚款人民币贰仟元整", ["2000"]),
    ("罚款人民币叁万伍仟圆整", ["35000"]),
    ("壹佰贰拾叁万肆仟伍佰陆拾柒元捌角玖分", ["1234567.89"]),
    ("贰仟零伍元", ["2005"]),
    ("壹万零伍佰元", ["10500"]),
    ("两千元", ["2000"]),
    ("十万元", ["100000"]),
    ("十二万元", ["120000"]),
    ("二百五十元", ["250"]),
    ("一亿二千万元", ["120000000"]),
    ("二点五万元", ["25000"]),
    ("二〇〇〇元", ["2000"]),
    ("500元5角", ["500.5"]),
    ("¥2,000.00", ["2000"]),
    ("￥2000元", ["2000"]),
    ("RMB3000", ["3000"]),
    ("2000元（大写：贰仟元整）", ["2000", "2000"]),
    ("没收违法所得500元，并处罚款1000元", ["500", "1000"]),
]
LEFT_ASIDE = [
    *("处二千元以上二万元以下罚款", "处2000元以上2万元以下的罚款", "处1000元至5000元罚款", "处10-20万元罚款"),
    *("2000元（含）以下", "罚款三千余元", "罚款3000多元", "约2000元", "数百万元", "罚款一万五元", "罚款两千五元"),
    *("罚款2000美元", "罚款2000港元", "2万欧元", "2000日元"),
    *("三元区市场监督管理局", "2026年元旦", "3号楼2单元", "责令改正", ""),
    *("货值金额10倍罚款", "每日按罚款数额的3%加处罚款"),
    *("二十三十元", "万万元元", "千百元", "二点元", "点五元", "0.5.2元", "5千2万元", "1万20000元"),
]


@pytest.mark.parametrize(("text", "expected"), WRITTEN)
def test_amounts_are_read_as_they_are_written(text: str, expected: list[str]) -> None:
    assert [plain_yuan(amount.yuan) for amount in amounts_in(text)] == expected


@pytest.mark.parametrize("text", LEFT_ASIDE)
def test_what_is_no_stated_amount_in_yuan_is_left_aside(text: str) -> None:
    assert amounts_in(text) == []


def test_an_amount_is_shown_as_the_text_writes_it() -> None:
    assert [amount.text for amount in amounts_in("罚款２，０００．００元整")] == ["２，０００．００元"]


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("没收违法所得500元，并处罚款1000元，罚没款合计1500元", ["confiscated", "fine", "total"]),
        ("违法所得500元，予以没收，处以1000元的罚款", ["confiscated", "fine"]),
        ("货值金额8000元，处货值金额五倍罚款，计40000元", ["other", "fine"]),
        ("货值8000元。2000元", ["other", "unsaid"]),
        ("处1000元（大写：壹仟元整）罚款", ["fine", "fine"]),
    ],
)
def test_the_words_around_an_amount_say_what_it_is(text: str, roles: list[str]) -> None:
    assert [amount.role for amount in amounts_in(text)] == roles


YUAN = st.one_of(st.integers(1, 99_999_999), st.integers(1, 9999).map(lambda number: number * 1000))


@given(YUAN)
def test_every_way_to_write_an_amount_means_the_same(yuan: int) -> None:
    written = (
        f"{yuan}元",
        f"{yuan:,}元",
        f"{yuan:,}.00元",
        f"{plain_yuan(Decimal(yuan) / 10_000)}万元",
        f"¥{yuan:,}",
        "".join(chr(ord(digit) + 0xFEE0) for digit in str(yuan)) + "元",
        f"{in_chinese(yuan, '零一二三四五六七八九', '十百千万')}元",
        f"人民币{in_chinese(yuan, '零壹贰叁肆伍陆柒捌玖', '拾佰仟万')}元整",
    )

    for text in written:
        assert [amount.yuan for amount in amounts_in(f"决定给予罚款{text}的行政处罚")] == [yuan], text


@given(YUAN, st.integers(0, 9), st.integers(0, 9))
def test_capital_numerals_with_jiao_and_fen(yuan: int, jiao: int, fen: int) -> None:
    digits = "零壹贰叁肆伍陆柒捌玖"
    text = f"{in_chinese(yuan, digits, '拾佰仟万')}元{digits[jiao]}角{digits[fen]}分"

    assert [amount.yuan for amount in amounts_in(text)] == [yuan + Decimal(jiao) / 10 + Decimal(fen) / 100]


@given(st.text(alphabet="0123456789,，.元万千百十亿罚款没收零一二三两¥点余以上至- 角分", max_size=40))
def test_any_text_is_read_without_error(text: str) -> None:
    for amount in amounts_in(text):
        assert amount.yuan >= 0
        assert amount.text in text


@given(st.text(alphabet="零〇一二两三十百千万亿点", max_size=12))
def test_any_numeral_has_one_value_or_none(text: str) -> None:
    value = chinese_number(text)

    assert value is None or value >= 0


SLIPS = [
    # what the field says in 万元, the text, what is suspected, what the text states
    ("2000", "罚款2000元", "yuan_entered_as_wan", "2000"),
    ("2000", "罚款贰仟元整", "yuan_entered_as_wan", "2000"),
    ("2000", "没收违法所得500元，罚款０．２万元", "yuan_entered_as_wan", "2000"),
    ("0.00002", "罚款2000元", "wan_entered_as_yuan", "2000"),
    ("2", "罚款2000元", "decimal_point", "2000"),
    ("0.02", "罚款2000元", "decimal_point", "2000"),
    ("0.3", "罚款2000元", "differs", "2000"),
    ("0", "罚款2000元", "differs", "2000"),
]


@pytest.mark.parametrize(("wan", "text", "suspicion", "stated"), SLIPS)
def test_a_slip_is_found_and_named(wan: str, text: str, suspicion: str, stated: str) -> None:
    found = amount_finding("fine", Decimal(wan) * 10_000, text, "fine")

    assert found is not None
    assert (found.field, found.suspicion, plain_yuan(found.stated)) == ("fine", suspicion, stated)
    assert found.zh.startswith(f"填报 {plain_yuan(Decimal(wan) * 10_000)} 元，文书写明“")
    assert found.en


@pytest.mark.parametrize(
    ("wan", "text"),
    [
        (None, "罚款2000元"),
        ("0.2", "罚款2000元"),
        ("0.2", "责令改正"),
        ("0.2", "处2000元以上2万元以下罚款"),
        ("0.3", "对甲罚款1000元，对乙罚款2000元"),
        ("0.5", "一、罚款1000元；二、罚款4000元；三、罚款6000元"),
        ("0.15", "没收违法所得500元，罚款1000元，罚没款合计1500元"),
        ("0.1", "罚款1000元，逾期每日加处罚款30元"),
        ("7", "货值金额8000元，处货值金额十倍以下罚款"),
        ("0.05", "编号12，500元罚款"),
        ("1.25", "罚款12，500元"),
        ("3", "没收违法所得500元"),
    ],
)
def test_no_alarm_where_the_text_agrees_or_says_nothing(wan: str | None, text: str) -> None:
    assert amount_finding("fine", None if wan is None else Decimal(wan) * 10_000, text, "fine") is None


@given(
    YUAN, st.sampled_from(["罚款{}", "处{}罚款", "没收违法所得12元，并处罚款人民币{}整", "警告；罚款{}（依法从轻）"])
)
def test_the_right_amount_never_alarms_and_the_slip_always_does(yuan: int, sentence: str) -> None:
    assume(yuan != 12)
    text = sentence.format(f"{yuan}元")
    rule = default_record_rules().of("administrative_penalty")

    def findings(wan: str) -> list[AmountFinding]:
        record = {"content": text, "fine": {"amount": wan, "unit": "万元", "currency": "CNY"}}
        return amount_findings(record, rule)

    assert findings(plain_yuan(Decimal(yuan) / 10_000)) == []
    assert [found.suspicion for found in findings(str(yuan))] == ["yuan_entered_as_wan"]


@pytest.mark.parametrize("connector", ["credit.penalties", "credit.penalties-old-edition"])
def test_in_the_demo_city_a_record_alarms_exactly_where_field_and_text_differ(connector: str) -> None:
    rule = default_record_rules().of("administrative_penalty")
    records = records_of(City(scale=3000), connector)

    assert records
    for record in records:
        stated = [Decimal(digits) for digits in re.findall(r"([0-9]+)元$", record["content"])]
        given_amounts = [in_yuan(record[name]) for name in ("fine", "confiscated") if name in record]
        agrees = not given_amounts or not stated or given_amounts == stated
        assert (amount_findings(record, rule) == []) is agrees, record["content"]


def records_of(city: City, connector: str) -> list[dict[str, Any]]:
    """The accepted records of a connector on day 0."""
    rows = [dict(row) for row in all_rows(city, connector, 0)]
    columns = tuple(rows[0])
    what, pulled = manifest(connector), Pulled()
    take(what, compile_mapping(what), columns, [tuple(row[name] for name in columns) for row in rows], pulled)
    return list(pulled.records.values())


def in_chinese(number: int, digits: str, scales: str) -> str:
    """A whole number below 10^8 in Chinese numerals, written out in full (一十二, never 十二)."""
    high, low = divmod(number, 10_000)
    text = ""
    if high:
        text = below_ten_thousand(high, digits, scales) + scales[3]
    if low and high and low < 1000:
        text += digits[0]
    return text + (below_ten_thousand(low, digits, scales) if low else "") or digits[0]


def below_ten_thousand(number: int, digits: str, scales: str) -> str:
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            text += (digits[0] if gap else "") + digits[digit] + (scales[place - 1] if place else "")
            gap = False
        elif text:
            gap = True
    return text
