"""Amounts of money in the text of a decision, and whether a record's field agrees with them.

The exchange format counts fines in 万元; a fine of 2,000 yuan entered as 2000 is then 20 million. The decision's own
words tell: ``罚款2000元``, ``0.2万元``, ``２，０００．００元``, ``2万5千元``, ``贰仟元整``, ``两千元``.

The check is made to raise no false alarm: a field agrees when it is any amount of the text or a sum of its fines, and
bounds of a law (``二千元以上二万元以下``), approximations (``三千余元``) and other currencies are left aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Any, Literal

from registry.domain.credit.record_facts import RecordRule, in_yuan

Role = Literal["fine", "confiscated", "total", "other", "unsaid"]
Suspicion = Literal["yuan_entered_as_wan", "wan_entered_as_yuan", "decimal_point", "differs"]

_TEN_THOUSAND = Decimal(10_000)
_MOST_SUMMED = 8
"""Amounts of one decision of which all sums are tried: 2^8 of them."""

_SCALES = {
    "十": 10,
    "拾": 10,
    "百": 100,
    "佰": 100,
    "千": 1000,
    "仟": 1000,
    "万": 10_000,
    "萬": 10_000,
    "十万": 100_000,
    "百万": 1_000_000,
    "千万": 10_000_000,
    "亿": 100_000_000,
    "億": 100_000_000,
}
_DIGITS = {
    character: value
    for characters, value in (
        ("零〇○", 0),
        ("一壹", 1),
        ("二贰貳两兩", 2),
        ("三叁參", 3),
        ("四肆", 4),
        ("五伍", 5),
        ("六陆陸", 6),
        ("七柒", 7),
        ("八捌", 8),
        ("九玖", 9),
    )
    for character in characters
}
_SMALL = {character: _SCALES[character] for character in "十拾百佰千仟"}
_LARGE = {character: _SCALES[character] for character in "万萬亿億"}

_PLAIN = str.maketrans("０１２３４５６７８９．￥", "0123456789.¥")
_NUMBER = r"(?:[0-9]{1,3}(?:[,，][0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?"
_SCALE = r"(?:[十百千]?[万萬]|[十百千拾佰仟亿億])"
_CHINESE = "".join([*_DIGITS, *_SMALL, *_LARGE])
_AMOUNT = re.compile(
    rf"""
    (?<![.点])(?P<about>[数几近约逾超]\s?)?
    (?P<sign>¥|RMB)?\s?
    (?:
      (?P<arabic>{_NUMBER}(?:\s?{_SCALE}{_NUMBER})*)\s?(?P<scale>{_SCALE})?
    | (?P<chinese>[{_CHINESE}]+(?:点[{_CHINESE}]+)?)
    )
    \s?(?P<more>[余多]|左右)?\s?(?P<wan>[万萬])?
    (?P<unit>[元圆圓])(?![旦素区桥里件组宵凶月年帅首老])
    (?:(?P<jiao>[0-9{_CHINESE}])角)?(?:零?(?P<fen>[0-9{_CHINESE}])分)?
    | (?P<bare>¥|RMB)\s?(?P<bare_number>{_NUMBER})(?![0-9.,，]|\s?{_SCALE}|\s?[元圆圓])
    """,
    re.VERBOSE,
)
_PIECE = re.compile(rf"({_NUMBER})\s?({_SCALE})?")
_BOUND = re.compile(r"\s?(?:整|正)?\s?(?:\([^)]{0,30}\)|（[^）]{0,30}）)?\s?(?:以上|以下|以内|不等)")
_TO = re.compile(r"\s?[-~—至到]\s?[0-9一二两三四五六七八九十]")
_FROM = re.compile(r"[0-9一二两三四五六七八九十百千万元]\s?[-~—至到]\s?$")
_NEAR = 4
_KEYWORDS = re.compile(
    r"(?P<confiscated>没收(?:违法|非法)?(?:所得|财物|款)?)|(?P<total>合计|共计|总计|总额|罚没)|(?P<fine>罚款|罚金|处罚|罚)"
    r"|(?P<other>货值|价值|价款|销售|违法所得|非法所得|注册资本|损失|获利|利润|保证金|欠缴|税款|收入|成本|标价)"
)
_FINE_AFTER = re.compile(r"(?:整|正)?[)）]?(?:\([^)]{0,30}\)|（[^）]{0,30}）)?的?(?:行政)?罚款")
_CONFISCATED_AFTER = re.compile(r"(?:整|正)?[，,]?(?:予以|依法)*没收")
_SENTENCE = re.compile(r"[。；;\n]")
_FULL_WIDTH_COMMA = "，"


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount of money that a text names."""

    yuan: Decimal
    text: str
    """As written."""
    role: Role
    """What the words around it say that it is."""
    otherwise: Decimal | None = None
    """What it is if its full-width comma ends a clause instead of grouping thousands, in yuan."""


@dataclass(frozen=True, slots=True)
class AmountFinding:
    """A field that does not agree with the text of the decision."""

    field: str
    suspicion: Suspicion
    given: Decimal
    """What the field says, in yuan."""
    stated: Decimal
    """What the text says, in yuan: the amount that explains the field best."""
    written: str
    """That amount as the text writes it."""
    zh: str
    en: str


def amount_findings(record: Mapping[str, Any], rule: RecordRule) -> list[AmountFinding]:
    """What is suspected of the amounts of one record, by its dataset's rule."""
    found: list[AmountFinding] = []
    for amount in rule.amounts:
        text = record.get(amount.text)
        if isinstance(text, str):
            finding = amount_finding(amount.field, in_yuan(record.get(amount.field)), text, amount.role)
            found += [finding] if finding is not None else []
    return found


def amounts_in(text: str) -> list[Amount]:
    """The amounts in yuan that a text states; bounds, approximations and other currencies are left out."""
    return list(_amounts(text))


def amount_finding(
    field: str, yuan: Decimal | None, text: str, role: Literal["fine", "confiscated"]
) -> AmountFinding | None:
    """What is suspected of a field's amount (in yuan), by the text of the decision; None: nothing.

    A text that names no amount of this role, nor one without a role, says nothing about the field.
    """
    if yuan is None:
        return None
    amounts = amounts_in(text)
    own = [amount for amount in amounts if amount.role == role] or [
        amount for amount in amounts if amount.role in ("unsaid", "total")
    ]
    if not own or _agrees(yuan, amounts, own):
        return None
    suspicion, amount = _explanation(yuan, own)
    zh, en = _WORDS[suspicion]
    given, stated = plain_yuan(yuan), plain_yuan(amount.yuan)
    return AmountFinding(
        field=field,
        suspicion=suspicion,
        given=yuan,
        stated=amount.yuan,
        written=amount.text,
        zh=f"填报 {given} 元，文书写明“{amount.text}”（{stated} 元）：{zh}",
        en=f"the field says {given} yuan, the decision says “{amount.text}” ({stated} yuan): {en}",
    )


def chinese_number(text: str) -> Decimal | None:
    """The value of a Chinese numeral (二千三百, 贰仟叁佰, 二〇〇〇, 二点五万); None where it is none or ambiguous.

    ``两千五`` is ambiguous (2005 or 2500), so it has no value.
    """
    whole, point, decimals = text.partition("点")
    if not point:
        value = _whole(whole)
        return None if value is None else Decimal(value)
    scale = 1
    if decimals and decimals[-1] in _LARGE:
        scale, decimals = _LARGE[decimals[-1]], decimals[:-1]
    front = _whole(whole)
    if front is None or not decimals or any(character not in _DIGITS for character in decimals):
        return None
    return Decimal(f"{front}.{''.join(str(_DIGITS[character]) for character in decimals)}") * scale


def plain_yuan(yuan: Decimal) -> str:
    """An amount without exponent and trailing zeros: ``2000``, ``0.5``."""
    text = f"{yuan:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_WORDS: dict[Suspicion, tuple[str, str]] = {
    "yuan_entered_as_wan": ("疑似把以元计的数额填成了万元", "it seems to be an amount in yuan entered as 万元"),
    "wan_entered_as_yuan": ("疑似把以万元计的数额填成了元", "it seems to be an amount in 万元 entered as yuan"),
    "decimal_point": ("疑似小数点错位", "its decimal point seems to be in the wrong place"),
    "differs": ("两者不一致", "they do not agree"),
}


def _amounts(written: str) -> Iterator[Amount]:
    text = written.translate(_PLAIN)
    for found in _AMOUNT.finditer(text):
        start, end = found.span()
        yuan = None if found["about"] or found["more"] or _is_bound(text, start, end) else _yuan(found)
        if yuan is not None:
            yield Amount(yuan, written[start:end].strip(), _role(text, start, end), _last_clause(found))


def _is_bound(text: str, start: int, end: int) -> bool:
    """Whether it is an end of a range: ``二千元以上``, ``2000元至2万元``, ``10-20万元``."""
    return bool(_BOUND.match(text, end) or _TO.match(text, end) or _FROM.search(text, max(start - _NEAR, 0), start))


def _yuan(found: re.Match[str]) -> Decimal | None:
    if found["bare_number"]:
        return _arabic(found["bare_number"])
    chinese = found["chinese"]
    value = chinese_number(chinese) if chinese else _pieces(f"{found['arabic']}{found['scale'] or ''}")
    if value is None:
        return None
    jiao, fen = _digit(found["jiao"]), _digit(found["fen"])
    if jiao is None or fen is None:
        return None
    return value * (_TEN_THOUSAND if found["wan"] else 1) + Decimal(jiao) / 10 + Decimal(fen) / 100


def _pieces(text: str) -> Decimal | None:
    """``2万5千`` -> 25000; each piece smaller than the scale of the one before."""
    total, smallest = Decimal(0), None
    for number, scale in _PIECE.findall(text):
        factor = _scale(scale)
        value = _arabic(number) * factor
        if smallest is not None and value >= smallest:
            return None
        total, smallest = total + value, factor
    return total


def _scale(text: str) -> int:
    return _SCALES[text.replace("萬", "万")] if text else 1


def _arabic(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace(_FULL_WIDTH_COMMA, ""))


def _digit(character: str | None) -> int | None:
    """The digit before 角 or 分; 0 where there is none, None where it is no digit."""
    if character is None:
        return 0
    return int(character) if character in "0123456789" else _DIGITS.get(character)


def _last_clause(found: re.Match[str]) -> Decimal | None:
    """The amount if a full-width comma in it ends a clause: ``编号12，500元`` may mean 500."""
    number = found["arabic"] or found["bare_number"] or ""
    if _FULL_WIDTH_COMMA not in number:
        return None
    value = _pieces(f"{number.rpartition(_FULL_WIDTH_COMMA)[2]}{found['scale'] or ''}")
    return None if value is None else value * (_TEN_THOUSAND if found["wan"] else 1)


def _whole(text: str) -> int | None:
    """A whole number in Chinese numerals."""
    if not text:
        return None
    if all(character in _DIGITS for character in text):
        return int("".join(str(_DIGITS[character]) for character in text))
    total = 0
    rest = text
    for marks in ("亿億", "万萬"):
        place = next((place for place, character in enumerate(rest) if character in marks), None)
        if place is not None:
            front = _below_ten_thousand(rest[:place]) if place else 1
            if front is None or (place == 0 and total):
                return None
            total += front * _LARGE[rest[place]]
            rest = rest[place + 1 :]
            if _is_colloquial(rest):
                return None
    if any(character in _LARGE for character in rest):
        return None
    last = _below_ten_thousand(rest) if rest else 0
    return None if last is None else total + last


def _is_colloquial(rest: str) -> bool:
    """``一万五``: a single digit after a scale, without 零, may mean thousands."""
    return len(rest) == 1 and rest in _DIGITS


def _below_ten_thousand(text: str) -> int | None:
    """``二千零五`` -> 2005, ``十二`` -> 12; each scale smaller than the one before."""
    total, digit, smallest, zero = 0, None, 10_000, False
    for character in text:
        if character in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[character]
            zero = zero or digit == 0
            continue
        scale = _SMALL.get(character)
        if scale is None or scale >= smallest or (digit is None and total):
            return None
        total += (1 if digit is None else digit) * scale
        digit, smallest, zero = None, scale, False
    if digit and not zero and smallest not in (10, 10_000):
        return None
    return total + (digit or 0)


def _role(text: str, start: int, end: int) -> Role:
    """What the words say that an amount is: those right behind it first, then the nearest before it in the sentence."""
    if _FINE_AFTER.match(text, end):
        return "fine"
    if _CONFISCATED_AFTER.match(text, end):
        return "confiscated"
    begin = max((mark.end() for mark in _SENTENCE.finditer(text, 0, start)), default=0)
    role: Role = "unsaid"
    for keyword in _KEYWORDS.finditer(text, begin, start):
        role = _ROLES[str(keyword.lastgroup)]
    return role


_ROLES: dict[str, Role] = {"fine": "fine", "confiscated": "confiscated", "total": "total", "other": "other"}


def _agrees(yuan: Decimal, amounts: Iterable[Amount], own: list[Amount]) -> bool:
    """Whether the field is an amount of the text, or a sum of those of its role."""
    if any(yuan in (amount.yuan, amount.otherwise) for amount in amounts):
        return True
    values = [amount.yuan for amount in own]
    if sum(values) == yuan:
        return True
    few = values[:_MOST_SUMMED]
    return any(sum(some) == yuan for size in range(2, len(few)) for some in combinations(few, size))


def _explanation(yuan: Decimal, own: list[Amount]) -> tuple[Suspicion, Amount]:
    """The slip that makes one of the text's amounts of the field's."""
    for amount in own:
        if amount.yuan * _TEN_THOUSAND == yuan:
            return "yuan_entered_as_wan", amount
    for amount in own:
        if amount.yuan and yuan * _TEN_THOUSAND == amount.yuan:
            return "wan_entered_as_yuan", amount
    for amount in own:
        if amount.yuan and yuan and _is_power_of_ten(yuan / amount.yuan):
            return "decimal_point", amount
    return "differs", own[0]


def _is_power_of_ten(ratio: Decimal) -> bool:
    return ratio.normalize().as_tuple().digits == (1,)
