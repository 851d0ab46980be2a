"""The tax bureau: registration of taxpayers, credit rating, arrears. Rows are the JSON objects of its API."""

from __future__ import annotations

import datetime as dt

from shuqiao.demo import words
from shuqiao.demo.codes import wrong_uscc
from shuqiao.demo.credit_faults import Kind, last_corrected, of_row, other_name
from shuqiao.demo.generator import FIRST_DAY, Status, enterprise
from shuqiao.demo.rosters import City
from shuqiao.demo.rows.common import (
    Row,
    Written,
    drawn_date,
    draws_for,
    fault_kind,
    impossible,
    last_touched,
    life_of,
    stamp_text,
    touched_with_market,
)

STATES = {Status.ACTIVE: "03", Status.SUSPENDED: "04", Status.REVOKED: "05", Status.DEREGISTERED: "07"}
RATED_YEAR = 2025
GRADES = ("A", "A", "B", "B", "B", "M", "M", "C", "D")


def registration(city: City, number: int, day: int) -> Written:
    """纳税人基础信息."""
    life = life_of(city, "tax.registration", number, day)
    if life is None:
        return Written()
    found = enterprise(city, number, day)
    draws = draws_for(city, "tax.registration", number)
    office = 1 + draws.below(9)
    registered = drawn_date(draws, found.established_on, 30)
    corrected = last_corrected(city, "tax.registration", number, day)
    row: Row = {
        "djxh": f"1011330200{number:010d}",
        "uni_social_crd_cd": found.uscc,
        "tax_payer_no": found.uscc,
        "comp_nm": found.name,
        "legal_repre": found.representative,
        "tax_payer_type": "一般纳税人" if draws.below(3) == 0 else "小规模纳税人",
        "tax_reg_dt": registered.isoformat(),
        "tax_payer_state": "05" if life.revised_by(day) else STATES[found.status],
        "tax_office": {
            "no": f"1{found.division}{office:02d}00",
            "nm": f"{words.TAX_OFFICE}{found.district}第{office}税务所",
        },
        "tax_dept": {"no": f"1{found.division}0000", "nm": f"{words.TAX_OFFICE}{found.district}税务局"},
        "division": found.division,
        "updated_at": stamp_text(number, max(touched_with_market(city, life, number, day), corrected)),
        "deleted_at": stamp_text(number, life.left) if life.left is not None and life.left_by(day) else None,
    }
    contradiction = of_row(city, "tax.registration", number, day)
    match contradiction and contradiction.kind:
        case Kind.OTHER_NAME:
            row["comp_nm"] = other_name(found)
        case Kind.OTHER_REPRESENTATIVE:
            row["legal_repre"] = f"{found.representative}祥"
        case Kind.OTHER_STATUS:
            row["tax_payer_state"] = STATES[Status.ACTIVE]
        case _:
            pass
    kind = fault_kind(life, day)
    match kind:
        case "uscc_check_character":
            row["uni_social_crd_cd"] = wrong_uscc(found.uscc)
        case "missing_name":
            row["comp_nm"] = None
        case "unknown_status":
            row["tax_payer_state"] = "99"
        case "impossible_date":
            row["tax_reg_dt"] = impossible(registered)
        case _:
            pass
    rows = (row, dict(row)) if kind == "row_twice_identical" else (row,)
    return Written(rows, life.fault_on(day), life.left_by(day))


def credit_rating(city: City, number: int, day: int) -> Written:
    """纳税信用等级信息 of one year; a revision is a re-rating."""
    life = life_of(city, "tax.credit-rating", number, day)
    if life is None:
        return Written()
    found = enterprise(city, number)
    draws = draws_for(city, "tax.credit-rating", number)
    grade = draws.pick(GRADES)
    if life.revised_by(day):
        grade = "B" if grade in "CDM" else "C"
    rated = drawn_date(draws, dt.date(RATED_YEAR + 1, 4, 1), 29)
    row: Row = {
        "pjxh": f"{RATED_YEAR}{number:010d}",
        "uni_social_crd_cd": found.uscc,
        "tax_nm": found.name,
        "evalua_year": RATED_YEAR,
        "tax_credit_level": grade,
        "score": f"{40 + draws.below(600) / 10:.1f}",
        "evalua_dept": f"{words.TAX_OFFICE}{found.district}税务局",
        "evalua_dt": rated.isoformat(),
        "evalua_result_start": rated.isoformat(),
        "evalua_result_end": f"{RATED_YEAR + 2}-03-31",
        "updated_at": stamp_text(number, last_touched(life, day)),
    }
    match fault_kind(life, day):
        case "unknown_grade":
            row["tax_credit_level"] = "E"
        case "impossible_year":
            row["evalua_year"] = RATED_YEAR * 10
        case "uscc_check_character":
            row["uni_social_crd_cd"] = wrong_uscc(found.uscc)
        case _:
            pass
    return Written((row,), life.fault_on(day))


def arrears(city: City, number: int, day: int) -> Written:
    """公共信用欠税信息; a debt that is paid is marked as deleted, a revision is a part payment."""
    life = life_of(city, "tax.arrears", number, day)
    if life is None:
        return Written()
    found = enterprise(city, number)
    draws = draws_for(city, "tax.arrears", number)
    amount = 100 + draws.below(5_000_000)
    if life.revised_by(day):
        amount //= 2
    announced = drawn_date(draws, FIRST_DAY - dt.timedelta(days=300), 290)
    row: Row = {
        "id": f"QS{number:010d}",
        "tax_no": found.uscc,
        "tax_nm": found.name,
        "opr_addr": found.address,
        "own_tax_type": draws.pick(words.TAX_KINDS),
        "cumu_own_amt": f"{amount}.{draws.below(100):02d}",
        "announced": announced.strftime("%Y%m%d"),
        "pub_dept": f"{words.TAX_OFFICE}{found.district}税务局",
        "updated_at": stamp_text(number, last_touched(life, day)),
        "deleted_at": stamp_text(number, life.left) if life.left is not None and life.left_by(day) else None,
    }
    match fault_kind(life, day):
        case "negative_amount":
            row["cumu_own_amt"] = f"-{amount}.00"
        case "amount_in_words":
            row["cumu_own_amt"] = "壹万贰仟元整"
        case "uscc_check_character":
            row["tax_no"] = wrong_uscc(found.uscc)
        case _:
            pass
    return Written((row,), life.fault_on(day), life.left_by(day))
