"""Market supervision: the front-end exchange table 市场主体信息, and its table of legal representatives."""

from __future__ import annotations

import datetime as dt

from shuqiao.demo.codes import wrong_uscc
from shuqiao.demo.draws import Draws
from shuqiao.demo.faults import Fault
from shuqiao.demo.generator import Enterprise, Event, enterprise, event
from shuqiao.demo.rosters import MARKET, City, Life
from shuqiao.demo.rows.common import (
    Row,
    Written,
    draws_for,
    fault_kind,
    impossible,
    last_touched,
    life_of,
    stamp,
)

COLUMNS = (
    *("main_identi_id", "reg_org", "comp_type", "reg_state", "uni_social_crd_cd", "comp_nm", "addr", "legal_repre"),
    *("indv_code", "indv_nm", "reg_capt", "capt_kind", "opt_scop", "reg_no", "appr_dt", "est_dt", "opt_from", "opt_to"),
    *("domdi_strict", "postal_code", "op_flag", "write_time"),
)
SHIFTED_COLUMNS = COLUMNS[1:12]
REPRESENTATIVE_COLUMNS = ("identi_no", "personid", "nm", "lerep_sign", "position_cn", "op_flag", "write_time")

SPOILED = Fault("spoiled", "原为合格的记录变为不合格", "a record that was good turns bad", 0)
"""Planted by a day of life, not on day 0."""

NO_CAPITAL = ("N/A", "-", "", "万人民币")
"""How real extracts say that they do not know the registered capital."""

DATE_FORMS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y-%m-%d 00:00:00")


def enterprise_row(city: City, number: int, day: int) -> Written:
    """The row of 市场主体信息 (twice, where it stands twice)."""
    life = life_of(city, MARKET, number, day)
    if life is None:
        return Written()
    found = enterprise(city, number, day)
    draws = draws_for(city, MARKET, number)
    row = _good_row(found, draws, life, day)
    kind = fault_kind(life, day)
    _break(row, kind, found)
    fault = life.fault_on(day)
    if event(life) is Event.SPOILED and life.revised_by(day):
        _break(row, "impossible_date", found)
        fault = SPOILED
    deleted = life.left_by(day)
    if kind == "row_twice_different":
        earlier = row | {"addr": f"{found.address}（旧址）", "write_time": row["write_time"] - dt.timedelta(days=40)}
        return Written((earlier, row), fault, deleted)
    return Written((row, dict(row)) if kind == "row_twice_identical" else (row,), fault, deleted)


def representative_row(city: City, number: int, day: int) -> Row:
    """The row of 法定代表人信息."""
    found = enterprise(city, number, day)
    life = life_of(city, MARKET, number, day) or Life()
    touched = last_touched(life, day)
    return {
        "identi_no": found.main_id,
        "personid": 1,
        "nm": found.representative,
        "lerep_sign": 1,
        "position_cn": "经营者" if found.kind_code == "9500" else "法定代表人",
        "op_flag": _flag(life, day),
        "write_time": stamp(number, touched),
    }


def _good_row(found: Enterprise, draws: Draws, life: Life, day: int) -> Row:
    brackets = draws.below(2)
    name = found.name.replace("（", "(").replace("）", ")") if brackets else found.name
    return {
        "main_identi_id": found.main_id,
        "reg_org": found.registrar,
        "comp_type": "N/A" if draws.below(2) else found.kind,
        "reg_state": found.status.value,
        "uni_social_crd_cd": found.uscc,
        "comp_nm": f" {name} " if draws.below(30) == 0 else name,
        "addr": found.address,
        "legal_repre": found.representative,
        "indv_code": found.industry_code,
        "indv_nm": found.industry,
        "reg_capt": _capital(found, draws),
        "capt_kind": found.currency,
        "opt_scop": found.scope,
        "reg_no": found.registration_number,
        "appr_dt": dt.datetime.combine(found.approved_on, dt.time()),
        "est_dt": found.established_on.strftime(draws.pick(DATE_FORMS)),
        "opt_from": found.established_on.isoformat(),
        "opt_to": found.until.isoformat() if found.until else draws.pick(("长期", "", "9999-12-31")),
        "domdi_strict": found.division,
        "postal_code": f"3150{found.number % 90 + 10}",
        "op_flag": _flag(life, day),
        "write_time": stamp(found.number, last_touched(life, day)),
    }


def _flag(life: Life, day: int) -> str:
    if life.left_by(day):
        return "d"
    return "i" if last_touched(life, day) == life.joined else "u"


def _capital(found: Enterprise, draws: Draws) -> str:
    """Registered capital in the forms that real extracts have."""
    amount, currency = found.capital, found.currency
    form = draws.below(200)
    if form < len(NO_CAPITAL):
        return NO_CAPITAL[form]
    if currency != "人民币":
        return f"{amount}(万{currency})" if form % 2 else f"{amount}万{currency}"
    if form == len(NO_CAPITAL):
        return "3.2E-4万人民币"
    texts = (
        f"{amount:,}(万元人民币)",
        f"{amount}万人民币",
        f"{amount}(万元人民币)",
        f"{amount}(万)",
        f"{amount}.247万人民币",
        f"{amount}.000000",
    )
    return texts[form % len(texts)]


def _break(row: Row, kind: str, found: Enterprise) -> None:
    match kind:
        case "uscc_check_character":
            row["uni_social_crd_cd"] = wrong_uscc(found.uscc)
        case "old_registration_number":
            row["uni_social_crd_cd"] = found.registration_number
        case "missing_name":
            row["comp_nm"] = ""
        case "impossible_date":
            row["est_dt"] = impossible(found.established_on)
        case "unknown_status":
            row["reg_state"] = "K9"
        case "shifted_columns":
            values = [row[column] for column in SHIFTED_COLUMNS]
            row.update(zip(SHIFTED_COLUMNS, ["", *values[:-1]], strict=True))
        case "amount_in_words":
            row["reg_capt"] = "陆仟贰佰零玖万元整"
        case "negative_amount":
            row["reg_capt"] = f"-{found.capital}(万元人民币)"
        case _:
            pass
