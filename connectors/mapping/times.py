"""Dates (``YYYY-MM-DD``) and date-times (RFC 3339 with an offset) from drivers' objects and texts in many formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.mapping.refusal import Refusal
from connectors.mapping.text import half_width

DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日")
EPOCH = {"epoch": 1, "epoch_ms": 1000}

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_DATETIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s*([Zz]|[+-]\d{2}:?(\d{2})?)?", re.ASCII
)
_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "y": 2, "j": 3}
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_RANGE = 4_102_444_800  # the year 2100

Convert = Callable[[Any], "str | Refusal | None"]


def date_converter(formats: Sequence[str] | None, zone: ZoneInfo) -> Convert:
    """An aware date-time becomes the date it is in ``zone``."""
    readers = tuple(map(_reader, formats or DATE_FORMATS))
    iso = formats is None or "%Y-%m-%d" in formats
    zh, en = _expected(formats or DATE_FORMATS, "日期", "a date")

    def convert(value: Any) -> str | Refusal | None:
        if type(value) is date:
            return value.isoformat()
        if isinstance(value, datetime):
            return _in_zone(value, zone, value, zh, en, dates=True)
        found = read(value) if isinstance(value, str) else None
        return Refusal("mapping.date", value, zh, en) if found is None else found

    def read(value: str) -> str | Refusal | None:
        try:
            if iso and _ISO_DATE.fullmatch(value):
                return date.fromisoformat(value).isoformat()
            text = half_width(value).strip()
            found = next(filter(None, (reader(text) for reader in readers)), None)
            if found is not None:
                return found.date().isoformat()
            if iso and _ISO_DATETIME.fullmatch(text):
                return _in_zone(datetime.fromisoformat(_iso(text)), zone, value, zh, en, dates=True)
        except ValueError:
            pass
        return None

    return convert


def datetime_converter(formats: Sequence[str] | None, zone: ZoneInfo) -> Convert:
    """Every instant is written with the offset of ``zone``, so it has one text; a naive one is meant in ``zone``."""
    readers = tuple(_reader(item) for item in formats or () if item not in EPOCH)
    epoch = next((EPOCH[item] for item in formats or () if item in EPOCH), None)
    zh, en = _expected(formats or ("2026-11-20T08:00:00+08:00",), "日期时间", "a date and time")

    def convert(value: Any) -> str | Refusal | None:
        if isinstance(value, datetime):
            return _in_zone(value, zone, value, zh, en, dates=False)
        if type(value) is date:
            return _in_zone(datetime(value.year, value.month, value.day), zone, value, zh, en, dates=False)  # noqa: DTZ001
        try:
            if epoch is not None and not isinstance(value, bool):
                return _in_zone(_from_epoch(value, epoch), zone, value, zh, en, dates=False)
            if isinstance(value, str):
                text = half_width(value).strip()
                for read in readers:
                    found = read(text)
                    if found is not None:
                        return _in_zone(found, zone, value, zh, en, dates=False)
                if formats is None and (_ISO_DATETIME.fullmatch(text) or _ISO_DATE.fullmatch(text)):
                    return _in_zone(datetime.fromisoformat(_iso(text)), zone, value, zh, en, dates=False)
        except (ValueError, OverflowError):
            pass
        return Refusal("mapping.datetime", value, zh, en)

    return convert


def _in_zone(value: datetime, zone: ZoneInfo, got: Any, zh: str, en: str, *, dates: bool) -> str | Refusal:
    try:
        aware = value.replace(tzinfo=zone) if value.tzinfo is None else value.astimezone(zone)
        return aware.date().isoformat() if dates else _rfc3339(aware)
    except (OverflowError, ValueError):
        return Refusal("mapping.date" if dates else "mapping.datetime", got, zh, en)


def _rfc3339(value: datetime) -> str:
    """RFC 3339 offsets have whole minutes; Shanghai before 1901 was at +08:05:43."""
    offset = value.utcoffset()
    return (value if offset is None or not offset.seconds % 60 else value.astimezone(UTC)).isoformat()


def _iso(text: str) -> str:
    """What Python 3.11's fromisoformat takes: at most six decimals (more are cut), no space before the offset."""
    day, clock = text[:10], text[11:]
    text = day + ("T" + re.sub(r"\s+(?=[Zz+-])", "", clock) if clock else "")
    return re.sub(r"[.,](\d{1,6})\d*", lambda match: "." + match[1].ljust(6, "0"), text).replace("z", "Z")


def _from_epoch(value: Any, divisor: int) -> datetime:
    if isinstance(value, str) and not re.fullmatch(r"-?\d{1,16}(\.\d{1,6})?", value.strip()):
        raise ValueError(value)
    seconds = float(value) / divisor
    if not -_EPOCH_RANGE <= seconds <= _EPOCH_RANGE:
        raise ValueError(value)
    return _EPOCH_START + timedelta(seconds=round(seconds, 6))


def _reader(form: str) -> Callable[[str], datetime | None]:
    """strptime, but where digits touch (``%Y%m%d``) each part must have its full width: 2020111 is no date."""
    touching = re.search(r"%[YmdHMSyj]%[YmdHMSyj]", form) is not None
    width = len(re.sub(r"%(.)", lambda match: "0" * _WIDTHS.get(match[1], 1), form)) if touching else None

    def read(text: str) -> datetime | None:
        if width is not None and len(text) != width:
            return None
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  (the caller gives it its zone)
        except ValueError:
            return None

    return read


def _expected(formats: Sequence[str], zh: str, en: str) -> tuple[str, str]:
    words = " | ".join(formats)
    return f"{zh}（{words}）", f"{en} ({words})"
