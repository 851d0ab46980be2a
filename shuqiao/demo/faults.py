"""The faults planted in each connector's source: kind, share, and what must become of the row.

The numbers are exact for a scale: :func:`planned` is what the hub has to refuse, row for row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Outcome(StrEnum):
    """What must become of a faulty row."""

    REFUSED = "refused"
    """Mapping or schema refuses it, with a reason; the department corrects it some day."""
    UNREADABLE = "unreadable"
    """The source kind refuses it before it is a row: a line with too many columns, bytes that are no text."""
    REPEATED = "repeated"
    """The row stands twice with the same content: one record, nothing refused."""
    OVERTAKEN = "overtaken"
    """The row stands twice, with different content: the later one is the record."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault in one connector's source."""

    kind: str
    zh: str
    en: str
    per_mille: float
    outcome: Outcome = Outcome.REFUSED

    @property
    def refused(self) -> bool:
        """Whether the row must end in quarantine."""
        return self.outcome in {Outcome.REFUSED, Outcome.UNREADABLE}


WRONG_USCC = ("uscc_check_character", "统一社会信用代码校验码错误", "USCC with a wrong check character")
OLD_NUMBER = (
    "old_registration_number",
    "以15位注册号代替统一社会信用代码",
    "15-digit registration number in the place of the USCC",
)
NO_NAME = ("missing_name", "名称为空", "name is empty")
BAD_DATE = ("impossible_date", "日期不存在", "date that does not exist")
SHIFTED = ("shifted_columns", "字段错位一列", "values shifted by one column")
NEGATIVE = ("negative_amount", "金额为负数", "negative amount")
TWICE = ("row_twice_identical", "同一行重复", "row stands twice, identical")
TWICE_DIFFERENT = ("row_twice_different", "同一主键两行内容不同", "row stands twice, contents differ")

FAULTS: dict[str, tuple[Fault, ...]] = {
    "market-supervision.enterprise": (
        Fault(*WRONG_USCC, 3),
        Fault(*OLD_NUMBER, 2),
        Fault(*NO_NAME, 2),
        Fault(*BAD_DATE, 2),
        Fault("unknown_status", "登记状态不在代码表内", "status that no code list has", 2),
        Fault(*SHIFTED, 1),
        Fault("amount_in_words", "金额为汉字大写", "amount written in words", 1),
        Fault(*NEGATIVE, 1),
        Fault(*TWICE, 1, Outcome.REPEATED),
        Fault(*TWICE_DIFFERENT, 1, Outcome.OVERTAKEN),
    ),
    "tax.registration": (
        Fault(*WRONG_USCC, 3),
        Fault(*NO_NAME, 2),
        Fault("unknown_status", "纳税人状态不在代码表内", "taxpayer status that no code list has", 2),
        Fault(*BAD_DATE, 1),
        Fault(*TWICE, 1, Outcome.REPEATED),
    ),
    "tax.credit-rating": (
        Fault("unknown_grade", "纳税信用级别不是A/B/M/C/D", "grade other than A/B/M/C/D", 4),
        Fault("impossible_year", "评价年度不是年份", "year of evaluation that is no year", 2),
        Fault(*WRONG_USCC, 2),
    ),
    "tax.arrears": (
        Fault(*NEGATIVE, 8),
        Fault("amount_in_words", "金额为汉字大写", "amount written in words", 4),
        Fault(*WRONG_USCC, 4),
    ),
    "licensing.food-business": (
        Fault(*WRONG_USCC, 4),
        Fault(*NO_NAME, 3),
        Fault(*BAD_DATE, 3),
        Fault("too_many_columns", "多出一列", "a line with a column too many", 2, Outcome.UNREADABLE),
        Fault("broken_encoding", "字节不是GB18030", "bytes that are not GB18030", 2, Outcome.UNREADABLE),
        Fault(*TWICE, 2, Outcome.REPEATED),
    ),
    "licensing.permits": (
        Fault(*WRONG_USCC, 5),
        Fault("missing_number", "决定文书号为空", "decision without its number", 3),
        Fault(*BAD_DATE, 3),
    ),
    "licensing.construction": (
        Fault(*WRONG_USCC, 8),
        Fault(*NO_NAME, 5),
        Fault(*BAD_DATE, 5),
    ),
    "credit.permits": (
        Fault(*WRONG_USCC, 5),
        Fault("missing_decision_date", "许可决定日期为空", "decision date is missing", 3),
        Fault("unknown_category", "许可类别不在目录内", "category of licence that no list has", 3),
        Fault(*TWICE, 2, Outcome.REPEATED),
    ),
    "credit.penalties": (
        Fault(*WRONG_USCC, 6),
        Fault(*NEGATIVE, 4),
        Fault("missing_facts", "违法事实为空", "facts are missing", 4),
        Fault(*BAD_DATE, 4),
    ),
    "credit.permits-old-edition": (
        Fault(*OLD_NUMBER, 6),
        Fault(*BAD_DATE, 4),
    ),
    "credit.penalties-old-edition": (
        Fault(*OLD_NUMBER, 6),
        Fault("missing_facts", "违法事实为空", "facts are missing", 4),
    ),
    "credit.abnormal-operation": (
        Fault(*WRONG_USCC, 6),
        Fault("missing_reason", "列入原因为空", "reason of entry is missing", 4),
    ),
    "credit.serious-dishonesty": (
        Fault(*WRONG_USCC, 6),
        Fault(*BAD_DATE, 4),
    ),
    "credit.red-list": (
        Fault(*WRONG_USCC, 6),
        Fault("missing_reason", "认定事由为空", "reason of entry is missing", 4),
    ),
}


@lru_cache(maxsize=256)
def planned(connector: str, size: int) -> tuple[tuple[Fault, int], ...]:
    """How many rows of each fault are among the ``size`` rows of a connector's source on day 0: refusals first.

    At least one of each kind, unless that would break more than four rows in a hundred: gates stay open.
    """
    least = 1 if size >= 25 * len(FAULTS[connector]) else 0
    counted = [(fault, max(least, round(size * fault.per_mille / 1000))) for fault in FAULTS[connector]]
    return tuple(sorted(counted, key=lambda pair: not pair[0].refused))
