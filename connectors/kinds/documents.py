"""JSON (and what looks like it) into rows, without losing a digit and without trusting the sender.

What Python's ``json`` would let pass and PostgreSQL could not store is refused here, row by row: NaN, lone surrogates,
NUL characters, bytes that are no text, numbers of thousands of digits, nesting without end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any, Final

from connectors.errors import RowRefused, SourceColumnsChanged
from connectors.kinds.measures import readable_size
from connectors.source import DiscoveredField, RefusedRow, Rows

MAX_DEPTH: Final = 64
"""Deeper than any record of a department; far below where Python or PostgreSQL stop."""
MAX_DIGITS: Final = 1000
ROWS_PER_BATCH: Final = 2000
BYTES_PER_BATCH: Final = 8 << 20
EXCERPT: Final = 2000

_SUSPECT_BYTES: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NO_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_BYTE_MARK: Final = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class NoNumber:
    """Stands for what JSON writers without scruples call a number: ``NaN``, ``Infinity``, ten thousand digits."""

    text: str


class Missing:
    """There is no such key, which is not the same as a null."""


MISSING: Final = Missing()

type_names: Final[Mapping[type, str]] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


def _exact(text: str) -> float | Decimal:
    """A float when nothing is lost by it, a Decimal otherwise."""
    value = float(text)
    if len(text) < 16:  # noqa: PLR2004  (15 significant digits always survive a float)
        return value if "e" not in text.lower() or Decimal(repr(value)) == Decimal(text) else Decimal(text)
    return value if Decimal(repr(value)) == Decimal(text) else Decimal(text)


def _bounded_integer(text: str) -> int | NoNumber:
    return int(text) if len(text) <= MAX_DIGITS else NoNumber(text[:40] + "…")


_fast: Final = json.JSONDecoder(parse_constant=NoNumber, parse_float=_exact)
_careful: Final = json.JSONDecoder(parse_constant=NoNumber, parse_float=_exact, parse_int=_bounded_integer)


def decode(text: str, position: int = 0) -> tuple[Any, int]:
    """The JSON value at ``position`` and where it ends. Raises json.JSONDecodeError or RowRefused."""
    try:
        try:
            return _fast.raw_decode(text, position)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of thousands of digits
            return _careful.raw_decode(text, position)
    except RecursionError:
        raise too_deep() from None


def loads(text: str) -> Any:
    """One JSON value and nothing after it. Raises json.JSONDecodeError or RowRefused."""
    start = len(text) - len(text.lstrip())
    value, end = decode(text, start)
    if text[end:].strip():
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def too_deep() -> RowRefused:
    """Why a nesting bomb is refused."""
    return RowRefused(
        "source.depth",
        f"嵌套超过 {MAX_DEPTH} 层。",
        f"nested deeper than {MAX_DEPTH} levels.",
    )


def too_long(got: int | None, limit: int, what: str = "field") -> RowRefused:
    """``got`` is None when reading stopped at the limit."""
    size = f"more than {readable_size(limit)}" if got is None else readable_size(got)
    zh = {"field": "字段", "line": "行", "record": "记录"}[what]
    return RowRefused(
        "source.size",
        f"{zh}过大:{size},上限为 {readable_size(limit)}。",
        f"{what} too large: got {size}, expected at most {readable_size(limit)}.",
    )


def no_text(text: str) -> RowRefused:
    """Why a text holding NUL characters or surrogates is refused."""
    if "\x00" in text:
        return RowRefused("source.nul", "含有 NUL 字符(U+0000)。", "holds a NUL character (U+0000).")
    found = _NO_TEXT.search(text)
    if found is not None and _BYTE_MARK.match(found[0]):
        return RowRefused(
            "source.encoding",
            f"字节 0x{ord(found[0]) - 0xDC00:02X} 不符合声明的编码。",
            f"byte 0x{ord(found[0]) - 0xDC00:02X} is no text in the expected encoding.",
        )
    return RowRefused(
        "source.surrogate",
        "含有不成对的代理项(U+D800–U+DFFF)。",
        "holds a lone surrogate (U+D800 to U+DFFF), which is no character.",
    )


def is_text(text: str) -> bool:
    """Whether PostgreSQL could store it."""
    if "\x00" in text:
        return False
    try:
        text.encode()  # many times faster than looking for surrogates
    except UnicodeEncodeError:
        return False
    return True


def suspect(raw: bytes, max_field: int) -> bool:
    """Whether rows from these bytes must be looked at value by value (nesting aside, see :func:`is_flat`)."""
    return (
        len(raw) > max_field
        or b"NaN" in raw
        or b"Infinity" in raw
        or b"\x00" in raw
        or (b"\\u" in raw and _SUSPECT_BYTES.search(raw) is not None)
    )


def is_flat(row: Mapping[str, Any]) -> bool:
    """Whether no value of the row holds others."""
    return not any(isinstance(value, dict | list) for value in row.values())


def inspect(row: Any, max_field: int) -> None:
    """Raise RowRefused if a value somewhere in ``row`` cannot be taken."""
    pending: list[tuple[Any, int]] = [(row, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, str):
            if len(value) > max_field:
                raise too_long(len(value), max_field)
            if not is_text(value):
                raise no_text(value)
        elif isinstance(value, NoNumber):
            raise RowRefused("source.number", f"{value.text} 不是数值。", f"got {value.text}, expected a number.")
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise too_deep()
            inner = value.values() if isinstance(value, dict) else value
            pending.extend((each, depth + 1) for each in inner)
            if isinstance(value, dict):
                pending.extend((each, depth + 1) for each in value)


def _plain(value: Any, depth: int = 0) -> Any:
    """A JSON-able copy, shortened; what is no text becomes U+FFFD."""
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, dict | list | tuple):
        if depth >= 6:  # noqa: PLR2004  (an excerpt, not an archive)
            return "…"
        if isinstance(value, dict):
            return {str(_plain(str(key))): _plain(each, depth + 1) for key, each in list(value.items())[:100]}
        return [_plain(each, depth + 1) for each in value[:100]]
    text = value.text if isinstance(value, NoNumber) else str(value)
    return _NO_TEXT.sub("\ufffd", text[:EXCERPT])


def excerpt(row: Any) -> dict[str, Any]:
    """What could be read of a refused row, small enough to keep."""
    plain = _plain(row)
    result = plain if isinstance(plain, dict) else {"value": plain}
    if len(json.dumps(result, ensure_ascii=False)) > 4 * EXCERPT:
        return {"excerpt": json.dumps(result, ensure_ascii=False)[: 2 * EXCERPT]}
    return result


def refuse(place: str, row: Any, why: RowRefused) -> RefusedRow:
    """The refused row, with what could be read of it."""
    return RefusedRow(place, excerpt(row), why.rule, why.zh, why.en)


def resolve(value: Any, path: Sequence[str]) -> Any:
    """What stands at a dotted path: MISSING if a key is absent, None below a null."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part, MISSING)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        elif value is None:
            return None
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value


@dataclass(frozen=True, slots=True)
class Item:
    """One row as a format's reader found it: its number, its weight in bytes, and the row or why there is none."""

    number: int
    weight: int
    row: Any


def column_value(row: Mapping[str, Any], column: str) -> Any:
    """``holder.code``: a key of that very name, else the path."""
    if column in row:
        return row[column]
    return resolve(row, column.split(".")) if "." in column else MISSING


def require_columns(
    where: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], optional: frozenset[str]
) -> None:
    """Raise SourceColumnsChanged if a column stands in none of these rows; JSON omits nulls, so one row is enough."""
    if not rows:
        return
    missing = [
        column
        for column in columns
        if column not in optional and all(column_value(row, column) is MISSING for row in rows)
    ]
    if missing:
        present = dict.fromkeys(key for row in rows[:50] for key in row)
        raise SourceColumnsChanged(where, missing, list(present)[:60])


def picked(row: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """The values of the columns, in their order; what is missing is None."""
    try:
        return tuple([row[column] for column in columns])
    except KeyError:
        pass
    return tuple(
        row.get(column) if column in row or "." not in column else _or_none(column_value(row, column))
        for column in columns
    )


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value


class Columns:
    """Rows that are objects, made into values in column order; the first batch shows whether the columns are there."""

    def __init__(self, columns: Sequence[str], optional: frozenset[str]) -> None:
        self.names = tuple(columns)
        self._optional = optional
        self._seen = False

    def batch(self, where: str, items: Sequence[Item]) -> Rows:
        """The rows of one batch; ``items`` hold objects and RefusedRows."""
        objects = [item.row for item in items if not isinstance(item.row, RefusedRow)]
        if objects and not self._seen:
            self._seen = True
            self.names = self.names or tuple(dict.fromkeys(key for row in objects for key in row))
            require_columns(where, objects, self.names, self._optional)
        return Rows(
            columns=self.names,
            rows=[picked(row, self.names) for row in objects],
            where=where,
            first=items[0].number if items else 1,
            numbers=[item.number for item in items if not isinstance(item.row, RefusedRow)],
            refused=[item.row for item in items if isinstance(item.row, RefusedRow)],
        )


def in_batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Some thousands of items, fewer when they are heavy, so that memory stays flat."""
    batch: list[Item] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += item.weight
        if len(batch) >= ROWS_PER_BATCH or weight >= BYTES_PER_BATCH:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


class HalfWritten(Exception):  # noqa: N818  (the kinds turn it into SourceUnavailable)
    """The input ends in the middle of a record: its writer, or the line to it, has not finished."""


def ndjson_items(
    stream: IO[bytes],
    where: str,
    *,
    encoding: str = "utf-8",
    max_field: int,
    max_record: int,
    ends_are_final: bool = False,
) -> Iterator[Item]:
    """One object per line; a broken line is refused with its number and the rest goes on.

    Raises HalfWritten when the last line has no end and is no JSON, unless the sender has said that it is complete.
    """
    number = 0
    while raw := stream.readline(max_record + 1):
        number += 1
        if len(raw) > max_record:
            kept = raw[:EXCERPT]
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(1 << 20)
            why = too_long(None, max_record, "line")
            yield Item(number, 0, refuse(f"{where}:{number}", {"line": kept.decode(encoding, "replace")}, why))
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if not raw.strip():
            continue
        text = raw.decode(encoding, "surrogateescape")
        try:
            row = ndjson_row(raw, text, max_field)
        except RowRefused as error:
            if error.rule == "source.syntax" and not raw.endswith(b"\n") and not ends_are_final:
                raise HalfWritten(f"{where}:{number}: the input ends in the middle of a line") from None
            yield Item(number, 0, refuse(f"{where}:{number}", {"line": text.rstrip("\r\n")}, error))
            continue
        yield Item(number, len(raw), row)


def ndjson_row(raw: bytes, text: str, max_field: int) -> dict[str, Any]:
    """The object that a line holds. Raises RowRefused."""
    if not is_text(text):
        raise no_text(text)
    try:
        row = loads(text)
    except json.JSONDecodeError as error:
        raise RowRefused(
            "source.syntax",
            f"不是有效的 JSON(第 {error.colno} 个字符)。",
            f"is no JSON: {error.msg} at character {error.colno}.",
        ) from None
    found = an_object(row)
    if suspect(raw, max_field) or not is_flat(found):
        inspect(found, max_field)
    return found


def an_object(row: Any) -> dict[str, Any]:
    """``row`` if it is an object. Raises RowRefused otherwise."""
    if isinstance(row, dict):
        return row
    kind = type_names.get(type(row), "value")
    raise RowRefused("source.object", f"应为 JSON 对象,实为 {kind}。", f"got a JSON {kind}, expected an object.")


def looks_like_html(start: bytes) -> bool:
    """Whether these first bytes are a web page: most often a login form in place of the data."""
    head = start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")[:64].replace(b"\x00", b"").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def masked(value: Any) -> str:
    """A sample for people that gives the shape of a value, not the value: letters and digits mostly hidden."""
    text = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False, default=str)
    text = _NO_TEXT.sub("\ufffd", text)
    shown = text[:24]
    kept = max(1, len(shown) // 4)
    hidden = "".join("*" if each.isalnum() else each for each in shown[kept:])
    return shown[:kept] + hidden + ("…" if len(text) > len(shown) else "")


def flattened(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A nested object as dotted columns."""
    for key, value in row.items():
        if isinstance(value, dict) and value and len(prefix) < 200:  # noqa: PLR2004
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def inferred_fields(rows: Iterable[Mapping[str, Any]]) -> tuple[DiscoveredField, ...]:
    """Fields, types and masked samples of some rows."""
    kinds: dict[str, dict[str, None]] = {}
    samples: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, value in flattened(row):
            kinds.setdefault(name, {})
            samples.setdefault(name, {})
            if value is None or value == "":
                continue
            kinds[name][type_names.get(type(value), type(value).__name__)] = None
            if len(samples[name]) < 3:  # noqa: PLR2004
                samples[name][masked(value)] = None
    return tuple(
        DiscoveredField(name, " | ".join(found) or "null", tuple(samples[name])) for name, found in kinds.items()
    )
