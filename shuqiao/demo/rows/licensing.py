"""The licensing office: rows of its daily files. Broken lines and bytes are made by the writer of the file."""

from __future__ import annotations

import datetime as dt

from shuqiao.demo import words
from shuqiao.demo.codes import food_licence_number, wrong_uscc
from shuqiao.demo.credit_faults import last_corrected, of_row, other_address
from shuqiao.demo.generator import FIRST_DAY, enterprise
from shuqiao.demo.rosters import City, Life
from shuqiao.demo.rows.common import (
    Row,
    Written,
    authority_code,
    draws_for,
    fault_kind,
    impossible,
    last_touched,
    life_of,
    years_later,
)

ANIMAL_CLINIC = ("动物诊疗许可证", "普通", words.AGRICULTURE_OFFICE, "动物疾病诊疗（不含颅腔、胸腔、腹腔手术）")
"""Beside :data:`words.PERMITS`, which both offices draw from: only the licensing office has these."""
CLINICS_ONE_IN = 20
FOOD_KINDS = (("食品销售经营者", 1), ("餐饮服务经营者", 2), ("单位食堂", 3))
FOOD_ITEMS = ("预包装食品销售", "散装食品销售", "热食类食品制售", "冷食类食品制售", "糕点类食品制售", "自制饮品制售")
FOOD_COLUMNS = (
    *("许可证编号", "经营者名称", "社会信用代码", "法定代表人（负责人）", "住所", "经营场所", "主体业态", "经营项目"),
    *("发证日期", "有效期至", "发证机关", "证照状态", "操作标志"),
)
PERMIT_COLUMNS = (
    *("业务主键", "行政许可决定文书号", "许可证书名称", "许可编号", "许可类别", "行政相对人名称", "统一社会信用代码"),
    *(
        "法定代表人",
        "许可内容",
        "许可决定日期",
        "有效期自",
        "有效期至",
        "许可机关",
        "许可机关代码",
        "当前状态",
        "操作标志",
    ),
)


def food_business(city: City, number: int, day: int) -> Written:
    """食品经营许可证, a line of CSV; a revision is a renewal."""
    connector = "licensing.food-business"
    life = life_of(city, connector, number, day)
    if life is None:
        return Written()
    found = enterprise(city, number)
    draws = draws_for(city, connector, number)
    business, digit = draws.pick(FOOD_KINDS)
    issued = _issued(draws.below(4 * 365), life, day)
    items = FOOD_ITEMS[draws.below(3) : 3 + draws.below(4)]
    corrected = last_corrected(city, connector, number, day)
    row: Row = {
        "许可证编号": food_licence_number(digit, found.division, number),
        "经营者名称": found.name,
        "社会信用代码": found.uscc,
        "法定代表人（负责人）": found.representative,
        "住所": other_address(found) if of_row(city, connector, number, day) else found.address,
        "经营场所": found.address,
        "主体业态": business,
        "经营项目": "；".join(items),
        "发证日期": issued.strftime("%Y/%m/%d"),
        "有效期至": years_later(issued, 5).strftime("%Y/%m/%d"),
        "发证机关": f"{words.CITY}市{found.district}市场监督管理局",
        "证照状态": "有效",
        "操作标志": "变更" if corrected else _mark(life, day),
    }
    kind = fault_kind(life, day)
    match kind:
        case "uscc_check_character":
            row["社会信用代码"] = wrong_uscc(found.uscc)
        case "missing_name":
            row["经营者名称"] = ""
        case "impossible_date":
            row["发证日期"] = impossible(issued).replace("-", "/")
        case _:
            pass
    rows = (row, dict(row)) if kind == "row_twice_identical" else (row,)
    return Written(rows, life.fault_on(day), life.left_by(day))


def permits(city: City, number: int, day: int) -> Written:
    """Other administrative licences, a row of a worksheet with real date cells."""
    connector = "licensing.permits"
    life = life_of(city, connector, number, day)
    if life is None:
        return Written()
    found = enterprise(city, number)
    draws = draws_for(city, connector, number)
    title, category, authority, content = draws.pick(words.PERMITS)
    days_ago = draws.below(3 * 365)
    decided = _issued(days_ago, life, day)
    first_decided = _issued(days_ago, life, 0)
    long_term = not draws.below(3)
    if number % CLINICS_ONE_IN == 0:
        title, category, authority, content = ANIMAL_CLINIC
    row: Row = {
        "业务主键": f"XK{number:010d}",
        "行政许可决定文书号": f"桥许〔{first_decided.year}〕{number:07d}号",  # a renewal changes the same record
        "许可证书名称": title,
        "许可编号": f"QZ{number:09d}",
        "许可类别": category,
        "行政相对人名称": found.name,
        "统一社会信用代码": found.uscc,
        "法定代表人": found.representative,
        "许可内容": content,
        "许可决定日期": decided,
        "有效期自": decided,
        "有效期至": "长期" if long_term else years_later(decided, 3),
        "许可机关": authority,
        "许可机关代码": authority_code(authority),
        "当前状态": 1,
        "操作标志": _mark(life, day),
    }
    match fault_kind(life, day):
        case "uscc_check_character":
            row["统一社会信用代码"] = wrong_uscc(found.uscc)
        case "missing_number":
            row["行政许可决定文书号"] = None
        case "impossible_date":
            row["许可决定日期"] = impossible(decided)
        case _:
            pass
    return Written((row,), life.fault_on(day), life.left_by(day))


def construction(city: City, number: int, day: int) -> Written:
    """建筑业企业资质, an element of a zipped XML; nested as the element is."""
    connector = "licensing.construction"
    life = life_of(city, connector, number, day)
    if life is None:
        return Written()
    found = enterprise(city, number)
    draws = draws_for(city, connector, number)
    title, grade = draws.pick(words.QUALIFICATIONS)
    decided = _issued(draws.below(4 * 365), life, day)
    row: Row = {
        "证书编号": f"D3{draws.below(10)}{number:08d}",
        "持证企业": {"名称": found.name, "统一社会信用代码": found.uscc, "法定代表人": found.representative},
        "资质": {"名称": title, "等级": grade},
        "发证日期": decided.isoformat(),
        "有效期至": years_later(decided, 5).isoformat(),
        "发证机关": "桥州市住房和城乡建设局",
        "状态": "有效",
        "操作标志": _mark(life, day),
    }
    match fault_kind(life, day):
        case "uscc_check_character":
            row["持证企业"]["统一社会信用代码"] = wrong_uscc(found.uscc)
        case "missing_name":
            row["持证企业"]["名称"] = ""
        case "impossible_date":
            row["发证日期"] = impossible(decided)
        case _:
            pass
    return Written((row,), life.fault_on(day), life.left_by(day))


def _issued(days_ago: int, life: Life, day: int) -> dt.date:
    """A licence of a day later than 0 is issued on that day; a renewal starts a new term a year on."""
    if life.joined:
        return FIRST_DAY + dt.timedelta(days=life.joined)
    issued = FIRST_DAY - dt.timedelta(days=1 + days_ago)
    return issued.replace(day=15, year=issued.year + 1) if life.revised_by(day) else issued


def _mark(life: Life, day: int) -> str:
    if life.left_by(day):
        return "删除"
    return "新增" if last_touched(life, day) == life.joined else "变更"
