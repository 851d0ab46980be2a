"""A city of enterprises with the records that departments hold of them, as many as a real city has; invented.

========================  =====================================================================================
registration              every enterprise: 76 % active, 15 % deregistered, 6 % revoked, others
tax credit rating         74 % have last year's, 52 % the one before too
administrative licence    30 % hold one to three
food business licence     8 %
tax arrears               3 %, a third of them paid
abnormal operations       6 %, half of them removed again
administrative penalty    5 %, one to three each, minor to serious; a tenth disputed, a tenth repaired
serious dishonesty        0.4 %
========================  =====================================================================================

About three records for each enterprise. The same number gives the same enterprise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from registry.domain.keys import key_text
from schemas.identifiers import organisation_code_check_character, uscc_check_character

DIVISIONS = {"330203": "海曙区", "330205": "江北区", "330206": "北仑区", "330212": "鄞州区", "330281": "余姚市"}
DEPARTMENTS = {
    "legal_entity": "market-supervision",
    "tax_credit_rating": "tax",
    "tax_arrears": "tax",
    "administrative_licence": "credit",
    "administrative_penalty": "credit",
    "abnormal_operation": "credit",
    "serious_dishonesty": "credit",
    "food_business_licence": "licensing",
}
CITY = "桥州"
TRADE = "瑞恒永昌兴盛隆泰和顺德诚信达通利源丰华宏博远大中正天成金宝安康福裕鼎盈嘉美佳新世纪蓝海云帆锦绣东方"
WORDS = ("餐饮管理", "食品", "建设工程", "软件科技", "信息技术", "商务咨询", "物流", "模具制造", "服饰", "电子", "贸易")
STATUSES = ("active", "deregistered", "revoked", "suspended", "moved_out")
_STATUS_WEIGHTS = (76, 15, 6, 2, 1)
_RATINGS, _RATING_WEIGHTS = ("A", "B", "M", "C", "D"), (18, 40, 34, 3, 5)
_KINDS = (
    (("warning",), None),
    (("fine",), "0.2"),
    (("fine",), "3"),
    (("confiscation_of_income", "fine"), "12"),
    (("suspension_of_business",), None),
)
_VIOLATIONS = (
    ("经营超过保质期的食品", "《中华人民共和国食品安全法》第一百二十四条"),
    ("未按规定公示年度报告", "《企业信息公示暂行条例》第十七条"),
    ("发布虚假广告", "《中华人民共和国广告法》第五十五条"),
    ("未经许可从事建设", "《中华人民共和国城乡规划法》第六十四条"),
)
SOME = 10_000
"""Enterprises that one generator of chance makes."""


@dataclass(frozen=True, slots=True)
class Made:
    """One record."""

    dataset: str
    key: str
    body: Mapping[str, Any]
    mark: str | None = None
    """The column of ``registry.credit_mark`` that stands beside it: ``disputed_since``, ``repaired_at``."""


def enterprises(first: int, until: int, day: date) -> Iterator[tuple[str, list[Made]]]:
    """Codes from ``first`` (a multiple of :data:`SOME`) to before ``until``, each with its records."""
    for begin in range(first, until, SOME):
        chance = random.Random(begin)
        for number in range(begin, min(begin + SOME, until)):
            code = uscc(number)
            yield code, list(_records(number, code, day, chance))


def uscc(number: int) -> str:
    """A valid code."""
    division = tuple(DIVISIONS)[number % len(DIVISIONS)]
    first = f"91{division}{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


def registration(number: int, code: str, name: str, status: str, established_on: date) -> Made:
    """The record of market supervision."""
    division = tuple(DIVISIONS)[number % len(DIVISIONS)]
    body = {
        "uscc": code,
        "name": name,
        "entity_type": "enterprise",
        "legal_representative": "王某某",
        "registered_capital": {"amount": str(10 * (number % 500 + 1)), "unit": "万元", "currency": "CNY"},
        "established_on": established_on.isoformat(),
        "approved_on": established_on.isoformat(),
        "registration_authority": f"{CITY}市{DIVISIONS[division]}市场监督管理局",
        "address": f"{CITY}市{DIVISIONS[division]}中山东路{number % 9999}号",
        "division": division,
        "industry": "F5191",
        "business_scope": "一般项目：食品销售；餐饮管理；企业管理咨询；信息技术咨询服务；会议及展览服务；货物进出口。",
        "status": status,
        "registration_number": f"3302{number:011d}",
    }
    return Made("legal_entity", key_text([code]), body)


def rating(code: str, name: str, year: int, grade: str) -> Made:
    """A tax credit rating, in force until the next one."""
    body = {
        "uscc": code,
        "name": name,
        "year": str(year),
        "grade": grade,
        "rated_on": f"{year + 1}-04-15",
        "valid_from": f"{year + 1}-04-15",
        "valid_to": f"{year + 2}-04-14",
        "tax_authority": f"国家税务总局{CITY}市税务局",
    }
    return Made("tax_credit_rating", key_text([code, str(year)]), body)


def penalty(code: str, name: str, number: str, decided_on: date, kind: int, mark: str | None = None) -> Made:
    """A penalty; ``kind``: from a warning to a suspension."""
    kinds, fine = _KINDS[kind % len(_KINDS)]
    facts, basis = _VIOLATIONS[kind % len(_VIOLATIONS)]
    body: dict[str, Any] = {
        "holder_name": name,
        "holder_kind": "legal_person",
        "uscc": code,
        "legal_representative": "王某某",
        "decision_number": number,
        "violation_kind": facts,
        "facts": f"当事人{facts}，经查证属实。",
        "legal_basis": basis,
        "penalty_kinds": list(kinds),
        "content": f"罚款{fine}万元" if fine else "警告",
        "decided_on": decided_on.isoformat(),
        "authority": f"{CITY}市市场监督管理局",
        "status": "valid",
        "use_scope": "public",
    }
    if fine:
        body["fine"] = {"amount": fine, "unit": "万元", "currency": "CNY"}
    return Made("administrative_penalty", key_text([number]), body, mark)


def _records(number: int, code: str, day: date, chance: random.Random) -> Iterator[Made]:
    name = f"{CITY}{''.join(chance.choices(TRADE, k=3))}{chance.choice(WORDS)}有限公司"
    (status,) = chance.choices(STATUSES, _STATUS_WEIGHTS)
    yield registration(number, code, name, status, _ago(day, chance, 30, 9000))
    (grade,) = chance.choices(_RATINGS, _RATING_WEIGHTS)
    for year in range(day.year - 1, day.year - 1 - _among(chance, 0.74, (1, 1, 1, 2, 2, 2, 2, 2, 2, 2)), -1):
        yield rating(code, name, year, grade)
    for each in range(_among(chance, 0.3, (1, 1, 2, 3))):
        yield _permit(number, each, code, name, _ago(day, chance, 0, 1500))
    for _ in range(_among(chance, 0.08)):
        yield _food(number, code, name, _ago(day, chance, 0, 2000))
    for _ in range(_among(chance, 0.03)):
        yield _arrears(number, code, name, _ago(day, chance, 0, 700), chance)
    for _ in range(_among(chance, 0.06)):
        yield _listing(number, code, name, _ago(day, chance, 10, 1500), chance)
    for each in range(_among(chance, 0.05, (1, 1, 1, 2, 3))):
        decided_on = _ago(day, chance, 1, 1300)
        (mark,) = chance.choices((None, "disputed_since", "repaired_at"), (8, 1, 1))
        decision = f"桥市监罚〔{decided_on.year}〕{number}-{each}号"
        yield penalty(code, name, decision, decided_on, chance.randrange(len(_KINDS)), mark)
    for _ in range(_among(chance, 0.004)):
        yield _dishonest(number, code, name, _ago(day, chance, 10, 900))


def _among(chance: random.Random, share: float, counts: tuple[int, ...] = (1,)) -> int:
    """How many an enterprise has of a kind that such a share of all has."""
    return chance.choice(counts) if chance.random() < share else 0


def _ago(day: date, chance: random.Random, least: int, most: int) -> date:
    return day - timedelta(days=chance.randrange(least, most))


def _permit(number: int, each: int, code: str, name: str, decided_on: date) -> Made:
    decision = f"桥许字〔{decided_on.year}〕{number}-{each}号"
    body = {
        "holder_name": name,
        "holder_kind": "legal_person",
        "uscc": code,
        "decision_title": "行政许可决定书",
        "decision_number": decision,
        "licence_category": "ordinary",
        "licence_name": "公共场所卫生许可证",
        "licence_number": f"卫公字{number}-{each}",
        "content": "准予从事公共场所经营活动",
        "decided_on": decided_on.isoformat(),
        "valid_from": decided_on.isoformat(),
        "valid_to": (decided_on + timedelta(days=4 * 365)).isoformat(),
        "status": "valid",
        "authority": f"{CITY}市行政审批局",
        "use_scope": "public",
    }
    return Made("administrative_licence", key_text([decision]), body)


def _food(number: int, code: str, name: str, issued_on: date) -> Made:
    licence = f"JY{13302030000000 + number:014d}"
    body = {
        "licence_number": licence,
        "holder_name": name,
        "uscc": code,
        "legal_representative": "王某某",
        "address": f"{CITY}市海曙区中山东路{number % 9999}号",
        "business_address": f"{CITY}市海曙区中山东路{number % 9999}号一层",
        "operation_kind": "catering",
        "items": ["热食类食品制售", "冷食类食品制售"],
        "issued_on": issued_on.isoformat(),
        "valid_from": issued_on.isoformat(),
        "valid_to": (issued_on + timedelta(days=5 * 365)).isoformat(),
        "authority": f"{CITY}市市场监督管理局",
        "status": "01",
    }
    return Made("food_business_licence", key_text([licence]), body)


def _arrears(number: int, code: str, name: str, announced_on: date, chance: random.Random) -> Made:
    body = {
        "uscc": code,
        "name": name,
        "tax_type": "增值税",
        "balance": {"amount": str(chance.choice((800, 20_000, 350_000))), "unit": "元", "currency": "CNY"},
        "announced_on": announced_on.isoformat(),
        "tax_authority": f"国家税务总局{CITY}市税务局",
    }
    if chance.random() < 0.33:  # noqa: PLR2004
        body["cleared_on"] = (announced_on + timedelta(days=90)).isoformat()
    return Made("tax_arrears", key_text([f"Q{number}"]), body)


def _listing(number: int, code: str, name: str, listed_on: date, chance: random.Random) -> Made:
    body = {
        "list_number": f"A{number}",
        "uscc": code,
        "name": name,
        "listed_on": listed_on.isoformat(),
        "listed_reason": "通过登记的住所或者经营场所无法联系",
        "listed_by": f"{CITY}市市场监督管理局",
    }
    if chance.random() < 0.5:  # noqa: PLR2004
        body |= {"removed_on": (listed_on + timedelta(days=200)).isoformat(), "removed_reason": "申请移出"}
    return Made("abnormal_operation", key_text([f"A{number}"]), body)


def _dishonest(number: int, code: str, name: str, listed_on: date) -> Made:
    body = {
        "list_number": f"S{number}",
        "list_kind": "市场监督管理严重违法失信名单",
        "uscc": code,
        "name": name,
        "listed_on": listed_on.isoformat(),
        "listed_reason": "拒不履行行政处罚决定",
        "listed_by": f"{CITY}市市场监督管理局",
    }
    return Made("serious_dishonesty", key_text([f"S{number}"]), body)
