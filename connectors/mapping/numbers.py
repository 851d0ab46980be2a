"""Numbers with units and currencies as registration systems write them: ``6,209(万元人民币)``, ``100万美元``.

Amounts are decimals in canonical text form: no exponent, no leading zeros, no trailing zeros after the point.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.mapping.refusal import Refusal
from connectors.mapping.text import half_width

CURRENCIES = {
    "人民币": "CNY", "人民幣": "CNY", "中国元": "CNY",
    "美元": "USD", "美金": "USD",
    "欧元": "EUR", "欧洲货币": "EUR",
    "日元": "JPY", "日圆": "JPY",
    "港元": "HKD", "港币": "HKD", "香港元": "HKD",
    "澳门元": "MOP", "澳门币": "MOP", "葡币": "MOP",
    "新台币": "TWD", "台币": "TWD", "台湾元": "TWD",
    "英镑": "GBP",
    "韩元": "KRW", "韩国元": "KRW", "韩圆": "KRW",
    "澳大利亚元": "AUD", "澳元": "AUD",
    "加拿大元": "CAD", "加元": "CAD",
    "新加坡元": "SGD", "新元": "SGD",
    "瑞士法郎": "CHF", "新西兰元": "NZD", "泰铢": "THB", "卢布": "RUB", "俄罗斯卢布": "RUB",
    "马来西亚林吉特": "MYR", "林吉特": "MYR", "丹麦克朗": "DKK", "瑞典克朗": "SEK", "挪威克朗": "NOK",
    "¥": "", "￥": "",
}  # fmt: skip
"""Names as registration systems write them; the sign ¥ leaves open which one, ``$`` is missing as it names several."""
_NO_UNIT = re.compile("人民[币幣]|[A-Z]{3}|[¥￥]|.*[币金]")
"""Names of a currency that leave open whether 元 or 万元 is meant."""
CURRENCIES |= {code: code for code in filter(None, set(CURRENCIES.values()))}

MULTIPLES = {"": 0, "百": 2, "千": 3, "万": 4, "萬": 4, "十万": 5, "百万": 6, "千万": 7, "亿": 8, "億": 8}
"""Powers of ten."""
UNITS = {"元": 0, "千元": 3, "万元": 4, "百万元": 6, "亿元": 8}

MAX_DIGITS = 30
MAX_PLACES = 12
MAX_INTEGER = 2**53 - 1
"""Beyond it a JSON number is not the same number everywhere (RFC 8785)."""

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_BRACKETS = str.maketrans("", "", "()[]【】 \t\u3000\xa0:")
_AMOUNT = re.compile(
    "(?P<before>{currency})?(?P<number>{number})?(?P<multiple>{multiple})?(?P<yuan>[元圆圓])?(?P<after>{currency})?元?".format(
        currency="|".join(map(re.escape, sorted(CURRENCIES, key=len, reverse=True))),
        number=r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?",
        multiple="|".join(sorted(filter(None, MULTIPLES), key=len, reverse=True)),
    )
)


def canonical(number: Decimal) -> str | None:
    """``None`` if it is beyond the range of numbers that mean something here."""
    if not number.is_finite():
        return None
    digits = number.as_tuple().digits
    if not any(digits):
        return "0"
    if number.adjusted() >= MAX_DIGITS or number.adjusted() < -MAX_PLACES or len(digits) > MAX_DIGITS + MAX_PLACES:
        return None
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
        if len(text) - text.find(".") - 1 > MAX_PLACES and "." in text:
            return None
    return text.lstrip("+")


def plain_number(value: Any) -> Decimal | None:
    """A number of a driver or a bare text with thousands commas; ``None`` for anything else (also NaN and infinity)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, float):
        number = Decimal(repr(value))
        return number if number.is_finite() else None
    if isinstance(value, str):
        return _parse(value)
    return None


def _parse(text: str) -> Decimal | None:
    if not text or _NUMBER.fullmatch(text) is None:
        return None
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None


def integer(value: Any) -> int | Refusal | None:
    """A whole number; ``12.0`` is one, ``12.5`` is not."""
    if type(value) is int:
        number = Decimal(value)
    else:
        found = plain_number(half_width(value).strip() if isinstance(value, str) else value)
        if found is None:
            return Refusal("mapping.integer", value, "整数", "a whole number")
        number = found
    if number.adjusted() > MAX_DIGITS or abs(number) > MAX_INTEGER:
        return Refusal(
            "mapping.range", value, f"绝对值不超过 {MAX_INTEGER} 的整数", f"a whole number within ±{MAX_INTEGER}"
        )
    if number.adjusted() < -MAX_PLACES or number != number.to_integral_value():
        return Refusal("mapping.integer", value, "整数", "a whole number") if number else 0
    return int(number)


def decimal_converter(unit: str | None, source_unit: str | None) -> Callable[[Any], str | Refusal | None]:
    """Decimal text in ``unit``; a text that names its own unit is converted, any currency is left out of it."""
    result = UNITS[unit] if unit else None
    bare = UNITS[source_unit or unit or "元"]

    def convert(value: Any) -> str | Refusal | None:
        found = amount(value)
        if found is None or isinstance(found, Refusal):
            return found
        number, power, _ = found
        shift = (bare if power is None else power) - (result or 0)
        return _scaled(number, shift, value)

    return convert


def money_converter(
    unit: str | None, source_unit: str | None, currency: str | None
) -> Callable[[Any], dict[str, str] | Refusal | None]:
    """``{"amount", "unit", "currency"}``: in ``unit`` if the rule names one, else as the text says (元 or 万元)."""
    bare = UNITS[source_unit or unit or "元"]
    default_currency = currency or "CNY"

    def convert(value: Any) -> dict[str, str] | Refusal | None:
        found = amount(value)
        if found is None or isinstance(found, Refusal):
            return found
        number, power, stated = found
        power = bare if power is None else power
        result = unit or ("万元" if power >= UNITS["万元"] else "元")
        text = _scaled(number, power - UNITS[result], value)
        return (
            text
            if isinstance(text, Refusal)
            else {"amount": text, "unit": result, "currency": stated or default_currency}
        )

    return convert


def amount(value: Any) -> tuple[Decimal, int | None, str | None] | Refusal | None:
    """Number, power of ten of its unit (``None``: not stated) and currency (``None``: not stated).

    A text with unit or currency but without digits (``万人民币``) is no value: ``None``.
    """
    number = plain_number(value)
    if number is not None:
        return number, None, None
    match = _AMOUNT.fullmatch(half_width(value).translate(_BRACKETS)) if isinstance(value, str) else None
    if match is None or value.lstrip()[:1] in tuple("(（[【"):  # (500) may mean minus 500
        return _no_money(value)
    currencies = {CURRENCIES[name] for name in match.group("before", "after") if name} - {""}
    if len(currencies) > 1:
        return _no_money(value)
    currency = currencies.pop() if currencies else None
    if match["number"] is None:
        return None if value.strip() else _no_money(value)
    found = _parse(match["number"])
    if found is None:
        return _no_money(value)
    names = filter(None, match.group("before", "after"))
    stated = match["multiple"] or match["yuan"] or any(not _NO_UNIT.fullmatch(name) for name in names)
    return found, MULTIPLES[match["multiple"] or ""] if stated else None, currency


def _scaled(number: Decimal, shift: int, value: Any) -> str | Refusal:
    text = canonical(number.scaleb(shift) if shift and abs(number.adjusted()) < 10 * MAX_DIGITS else number)
    if text is None:
        return Refusal(
            "mapping.range",
            value,
            f"整数不超过 {MAX_DIGITS} 位、小数不超过 {MAX_PLACES} 位的数值",
            f"a number of at most {MAX_DIGITS} digits and {MAX_PLACES} decimal places",
        )
    return text


def _no_money(value: Any) -> Refusal:
    return Refusal(
        "mapping.number",
        value,
        "数值，可带单位和币种，如 6,209(万元人民币)",
        "a number, with unit and currency if any, such as 6,209(万元人民币)",
    )
