"""Writes registry/credit_rules/calendar/<year>.yaml from two libraries, where both know the year and agree.

    python -m venv /tmp/calendars && /tmp/calendars/bin/pip install holidays chinesecalendar
    /tmp/calendars/bin/python tools/working_days.py 2015-2026

Neither library is needed at run time: the hub reads only the files. The State Council's notice for a year comes out in
the November before; ``chinesecalendar`` knows no year before its notice, and that is what this program goes by.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import chinese_calendar
import holidays

FOLDER = Path(__file__).parents[1] / "registry" / "credit_rules" / "calendar"
SATURDAY = 5
REST = {"zh": "休息日（调休）", "en": "Day off in exchange"}
WORK = {"zh": "上班（调休）", "en": "Worked in exchange"}


def main() -> int:
    """Write the years asked for; 1 if one of them is unknown or disputed."""
    parser = argparse.ArgumentParser(description="Write the working days of years, from two libraries that agree.")
    parser.add_argument("years", nargs="+", help="2027, or 2015-2026")
    failed = False
    for year in _years(parser.parse_args().years):
        problem = _problem(year)
        if problem:
            print(f"{year}: {problem}; nothing written", file=sys.stderr)
            failed = True
        else:
            (FOLDER / f"{year}.yaml").write_text(_text(year), encoding="utf-8")
            print(f"{year}: written")
    return int(failed)


def _years(asked: list[str]) -> Iterator[int]:
    for part in asked:
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _days(year: int) -> Iterator[dt.date]:
    first = dt.date(year, 1, 1)
    return (first + dt.timedelta(number) for number in range((dt.date(year + 1, 1, 1) - first).days))


def _problem(year: int) -> str | None:
    china = holidays.China(years=year)
    try:
        disputed = [day for day in _days(year) if chinese_calendar.is_workday(day) != china.is_working_day(day)]
    except NotImplementedError:
        return "chinesecalendar does not know this year: is its notice out, and the library the newest?"
    if disputed:
        return f"the libraries do not agree on {', '.join(map(str, disputed))}: read the State Council's notice"
    return None


def _text(year: int) -> str:
    zh, en = (holidays.China(years=year, language=language) for language in ("zh_CN", "en_US"))
    libraries = f"holidays {version('holidays')} and chinesecalendar {version('chinesecalendar')}"
    source = f"国务院办公厅关于{year}年部分节假日安排的通知, as known to the Python libraries {libraries}, which agree"
    lines = [f"year: {year}", f"source: {source}"]
    for name, weekend in (("days_off", False), ("days_worked", True)):
        days = [day for day in _days(year) if _exceptional(day, weekend=weekend)]
        lines.append(f"{name}:" if days else f"{name}: {{}}")
        for day in days:
            names = WORK if weekend else REST if "调休" in zh[day] else {"zh": zh[day], "en": en[day]}
            lines.append(f'  {day}: {{zh: {names["zh"]}, en: "{names["en"]}"}}')
    return "\n".join(lines) + "\n"


def _exceptional(day: dt.date, *, weekend: bool) -> bool:
    """A weekday that is not worked, or a weekend day that is."""
    return (day.weekday() >= SATURDAY) is weekend and chinese_calendar.is_workday(day) is weekend


if __name__ == "__main__":
    raise SystemExit(main())
