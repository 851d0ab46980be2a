"""The credit office: 双公示 permits and penalties in both editions of the fields, and three lists; NDJSON lines."""

from __future__ import annotations

import datetime as dt

from shuqiao.demo import words
from shuqiao.demo.codes import wrong_uscc
from shuqiao.demo.credit_faults import Kind, Planted, name_without_code, of_row, planted, weeks_before
from shuqiao.demo.draws import Draws
from shuqiao.demo.generator import FIRST_DAY, Enterprise, day_date, enterprise
from shuqiao.demo.rosters import City, Life
from shuqiao.demo.rows.common import (
    Row,
    Written,
    authority_code,
    drawn_date,
    draws_for,
    fault_kind,
    impossible,
    life_of,
    office_code,
    years_later,
)

CREDIT_OFFICE = f"{words.CITY}市公共信用中心"
CREDIT_OFFICE_CODE = office_code(90)
OTHER_CODE = "其他法人或其他组织有效证件代码"
"""Kind of code (GB/T 36903 annex A, 099) of an organisation that has no unified social credit code."""


def permits(city: City, number: int, day: int) -> Written:
    """行政许可, edition in force (XK_*)."""
    found = _found(city, "credit.permits", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    title, category, authority, content = draws.pick(words.PERMITS)
    decided = _decided(draws, life)
    row: Row = {
        "ID": f"xk-{number}",
        "XK_XDR_MC": party.name,
        "XK_XDR_LB": _party_kind(party),
        "XK_XDR_SHXYM": party.uscc,
        "XK_FRDB": party.representative,
        "XK_XKWS": f"准予行政许可决定书（{title}）",
        "XK_WSH": f"桥信许〔{decided.year}〕{number:07d}号",
        "XK_XKLB": category,
        "XK_XKZS": title,
        "XK_XKBH": f"XZ{number:09d}",
        "XK_NR": content,
        "XK_JDRQ": decided.isoformat(),
        "XK_YXQZ": decided.isoformat(),
        "XK_YXQZI": years_later(decided, 3).isoformat() if draws.below(3) else "2099-12-31",
        "XK_XKJG": authority,
        "XK_XKJGDM": authority_code(authority),
        "XK_ZT": "0" if life.revised_by(day) else "1",
        "XK_LYDW": CREDIT_OFFICE,
        "XK_LYDWDM": CREDIT_OFFICE_CODE,
        "XK_SYFW": "0",
        "SJC": _reported(decided, number, life),
        "BZ": "",
    }
    match _planted(city, "credit.permits", number, day):
        case Kind.LATE:
            row["XK_JDRQ"] = weeks_before(decided).isoformat()
        case Kind.NO_SOURCE_CODE:
            row["XK_LYDWDM"] = ""
        case _:
            pass
    kind = fault_kind(life, day)
    match kind:
        case "uscc_check_character":
            row["XK_XDR_SHXYM"] = wrong_uscc(party.uscc)
        case "missing_decision_date":
            row["XK_JDRQ"] = ""
        case "unknown_category":
            row["XK_XKLB"] = "口头许可"
        case _:
            pass
    return Written((row, dict(row)) if kind == "row_twice_identical" else (row,), life.fault_on(day))


def penalties(city: City, number: int, day: int) -> Written:
    """行政处罚, edition in force (CF_*); fines are in 10,000 yuan. A revision is a fine that was reduced."""
    found = _found(city, "credit.penalties", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    fault = planted(city, "credit.penalties").get(number)
    violation, facts, basis, category, fined = draws.pick(words.PENALTIES)
    if fault is not None:
        party = enterprise(city, fault.about)
        violation, facts, basis, category, fined = words.PENALTIES[1]
    decided = _decided(draws, life)
    yuan = (2000 + 500 * draws.below(200)) // (2 if life.revised_by(day) else 1) if fined else 0
    row: Row = {
        "ID": f"cf-{number}",
        "CF_XDR_MC": party.name,
        "CF_XDR_LB": _party_kind(party),
        "CF_XDR_SHXYM": party.uscc,
        "CF_XDR_GSZC": party.registration_number,
        "CF_FRDB": party.representative,
        "CF_XDR_ZJLX": "",
        "CF_XDR_ZJHM": "",
        "CF_WSH": f"桥罚〔{decided.year}〕{number:07d}号",
        "CF_WFXW": violation,
        "CF_SY": facts,
        "CF_YJ": basis,
        "CF_CFLB": category,
        "CF_NR": f"{category}{yuan}元" if fined else "予以警告" if not life.revised_by(day) else "予以警告，责令改正",
        "CF_NR_FK": f"{yuan / 10000:.6f}" if category == "罚款" else "",
        "CF_NR_WFFF": f"{yuan / 10000:.6f}" if category == "没收违法所得" else "",
        "CF_NR_ZKDX": "",
        "CF_JDRQ": decided.isoformat(),
        "CF_YXQ": years_later(decided, 3).isoformat(),
        "CF_GSJZQ": years_later(decided, 1).isoformat(),
        "CF_CFJG": words.MARKET_OFFICE,
        "CF_CFJGDM": authority_code(words.MARKET_OFFICE),
        "CF_SJLY": CREDIT_OFFICE,
        "CF_SJLYDM": CREDIT_OFFICE_CODE,
        "CF_SYFW": "0",
        "SJC": _reported(decided, number, life),
        "BZ": "",
    }
    if fault is not None and fault.still_on(day):
        _plant(row, fault, party, yuan, decided)
    match fault_kind(life, day):
        case "uscc_check_character":
            row["CF_XDR_SHXYM"] = wrong_uscc(party.uscc)
        case "negative_amount":
            row["CF_NR_FK"] = "-0.200000"
        case "missing_facts":
            row["CF_SY"] = ""
        case "impossible_date":
            row["CF_JDRQ"] = impossible(decided)
        case _:
            pass
    return Written((row,), life.fault_on(day))


def permits_old_edition(city: City, number: int, day: int) -> Written:
    """行政许可, edition of 2015."""
    found = _found(city, "credit.permits-old-edition", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    title, category, authority, content = draws.pick(words.PERMITS)
    decided = _decided_long_ago(draws)
    row: Row = {
        "XK_WSH": f"桥行许字〔{decided.year}〕第{number:07d}号",
        "XK_XMMC": title,
        "XK_SPLB": category,
        "XK_NR": content,
        "XK_XDR": party.name,
        "XK_XDR_SHXYM": party.uscc,
        "XK_XDR_ZDM": party.uscc[8:17],
        "XK_XDR_GSDJ": party.registration_number,
        "XK_XDR_SWDJ": "",
        "XK_XDR_SFZ": "",
        "XK_FR": party.representative,
        "XK_JDRQ": decided.strftime("%Y/%m/%d"),
        "XK_JZQ": years_later(decided, 10).strftime("%Y/%m/%d"),
        "XK_XZJG": authority,
        "XK_ZT": "0",
        "DFBM": party.division,
        "SJC": f"{decided.isoformat()} 09:30:00",
        "BZ": "",
    }
    match fault_kind(life, day):
        case "old_registration_number":
            row["XK_XDR_SHXYM"] = party.registration_number
        case "impossible_date":
            row["XK_JDRQ"] = impossible(decided).replace("-", "/")
        case _:
            pass
    return Written((row,), life.fault_on(day))


def penalties_old_edition(city: City, number: int, day: int) -> Written:
    """行政处罚, edition of 2015."""
    found = _found(city, "credit.penalties-old-edition", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    violation, facts, basis, category, _ = draws.pick(words.PENALTIES)
    decided = _decided_long_ago(draws)
    row: Row = {
        "CF_WSH": f"桥行罚字〔{decided.year}〕第{number:07d}号",
        "CF_CFMC": f"{violation}案",
        "CF_CFLB1": category,
        "CF_CFLB2": "",
        "CF_SY": facts,
        "CF_YJ": basis,
        "CF_XDR_MC": party.name,
        "CF_XDR_SHXYM": party.uscc,
        "CF_XDR_ZDM": party.uscc[8:17],
        "CF_XDR_GSDJ": party.registration_number,
        "CF_XDR_SWDJ": "",
        "CF_XDR_SFZ": "",
        "CF_FR": party.representative,
        "CF_JG": f"作出{category}的决定",
        "CF_JDRQ": decided.strftime("%Y/%m/%d"),
        "CF_XZJG": words.MARKET_OFFICE,
        "CF_ZT": "0",
        "DFBM": party.division,
        "SJC": f"{decided.isoformat()} 16:00:00",
        "BZ": "",
    }
    if _planted(city, "credit.penalties-old-edition", number, day) is Kind.NOT_WITHDRAWN:
        row["CF_ZT"] = "1"
    match fault_kind(life, day):
        case "old_registration_number":
            row["CF_XDR_SHXYM"] = party.registration_number
        case "missing_facts":
            row["CF_SY"] = ""
        case _:
            pass
    return Written((row,), life.fault_on(day))


def abnormal_operation(city: City, number: int, day: int) -> Written:
    """经营异常名录信息: who has been removed is no longer in the list."""
    found = _found(city, "credit.abnormal-operation", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    row: Row = {
        "busexclist": f"YC{number:010d}",
        "uni_social_crd_cd": party.uscc,
        "comp_nm": party.name,
        "reg_no": party.registration_number,
        "inclu_dt": _decided(draws, life).isoformat(),
        "inclu_reason": draws.pick(words.ABNORMAL_REASONS),
        "decorg_cn": party.registrar,
        "division": party.division,
    }
    match fault_kind(life, day):
        case "uscc_check_character":
            row["uni_social_crd_cd"] = wrong_uscc(party.uscc)
        case "missing_reason":
            row["inclu_reason"] = None
        case _:
            pass
    return Written((row,), life.fault_on(day))


def serious_dishonesty(city: City, number: int, day: int) -> Written:
    """严重违法失信企业名单信息."""
    found = _found(city, "credit.serious-dishonesty", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    listed = _decided(draws, life)
    row: Row = {
        "ill_comp_id": f"SX{number:010d}",
        "uni_social_crd_cd": party.uscc,
        "comp_name": party.name,
        "legal_repre": party.representative,
        "abn_tm": listed.isoformat(),
        "serill_rea": draws.pick(words.DISHONESTY_REASONS),
        "decorg_org": party.registrar,
        "public_until": years_later(listed, 3).isoformat(),
        "dsc_adm_region": party.division,
    }
    match fault_kind(life, day):
        case "uscc_check_character":
            row["uni_social_crd_cd"] = wrong_uscc(party.uscc)
        case "impossible_date":
            row["abn_tm"] = impossible(listed)
        case _:
            pass
    return Written((row,), life.fault_on(day))


def red_list(city: City, number: int, day: int) -> Written:
    """守信激励对象名单（红名单）: whom the city commends, for two years."""
    found = _found(city, "credit.red-list", number, day)
    if found is None:
        return Written()
    party, draws, life = found
    kind, reason, authority = draws.pick(words.COMMENDED)
    listed = _decided(draws, life)
    row: Row = {
        "red_id": f"HM{number:010d}",
        "red_kind": kind,
        "uni_social_crd_cd": party.uscc,
        "comp_nm": party.name,
        "cognizance_dt": listed.isoformat(),
        "cognizance_reason": reason,
        "cognizance_org": authority,
        "valid_to": years_later(listed, 2).isoformat(),
        "division": party.division,
    }
    match fault_kind(life, day):
        case "uscc_check_character":
            row["uni_social_crd_cd"] = wrong_uscc(party.uscc)
        case "missing_reason":
            row["cognizance_reason"] = ""
        case _:
            pass
    return Written((row,), life.fault_on(day))


def _found(city: City, connector: str, number: int, day: int) -> tuple[Enterprise, Draws, Life] | None:
    """The enterprise as it was on day 0 (documents keep the name they were made out to); None without a row."""
    life = life_of(city, connector, number, day)
    if life is None or life.left_by(day):
        return None
    return enterprise(city, number), draws_for(city, connector, number), life


def _planted(city: City, connector: str, number: int, day: int) -> Kind | None:
    fault = of_row(city, connector, number, day)
    return None if fault is None else fault.kind


def _plant(row: Row, fault: Planted, party: Enterprise, yuan: int, decided: dt.date) -> None:
    """Let a penalty say what is wrong."""
    match fault.kind:
        case Kind.LATE:
            row["CF_JDRQ"] = weeks_before(decided).isoformat()
        case Kind.NO_SOURCE_CODE:
            row["CF_SJLYDM"] = ""
        case Kind.YUAN_AS_WAN:
            row["CF_NR_FK"] = f"{yuan:.6f}"
        case _:  # a record without a code: the case file's own number stands for whom it is about
            row["CF_XDR_MC"] = name_without_code(fault.kind, fault.index, party)
            row |= {"CF_XDR_SHXYM": "", "CF_XDR_ZJLX": OTHER_CODE, "CF_XDR_ZJHM": f"AJ{row['ID'].replace('-', '')}"}
            if fault.kind in {Kind.ENDING_VARIANT, Kind.NEAR_DUPLICATE}:
                row["CF_XDR_GSZC"] = ""
            if fault.kind is Kind.NAMESAKE:  # nothing but the registration number tells one from the other
                row["CF_FRDB"] = ""


def _reported(decided: dt.date, number: int, life: Life) -> str:
    """When the credit office got it: within five days, so in time however the holidays lie; later ones on the day."""
    days = 0 if life.joined else 1 + number % 4
    return f"{(decided + dt.timedelta(days=days)).isoformat()} 16:30:00"


def _party_kind(party: Enterprise) -> str:
    return "个体工商户" if party.kind_code == "9500" else "法人及非法人组织"


def _decided(draws: Draws, life: Life) -> dt.date:
    if life.joined:
        return day_date(life.joined)
    return drawn_date(draws, FIRST_DAY - dt.timedelta(days=800), 790)


def _decided_long_ago(draws: Draws) -> dt.date:
    return drawn_date(draws, dt.date(2015, 3, 2), 1300)
