"""One field of the record for thousands of rows at a time.

A field's ``apply`` takes the source's column and gives the record's column: values, ``None`` for "no value", and
:class:`Refusal` where a value cannot be taken. Nothing raises per value: a refusal is a value, and ``refused`` says
whether the last column holds any, so that the ordinary case looks at each value once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from connectors.mapping import text as texts
from connectors.mapping.numbers import MAX_INTEGER, integer
from connectors.mapping.refusal import Refusal

CACHED_VALUES = 20_000
CACHED_LENGTH = 120
"""Longer texts hardly repeat and would make the cache large."""
DEEPEST = 20
LONGEST_SCALAR = 200
"""No number, date or code is longer: what is, is not even looked at."""

Convert = Callable[[Any], Any]
Column = Sequence[Any]


class Field(Protocol):
    """A column of values to a column of the record's values."""

    refused: bool
    """Whether the last column held a refusal."""

    def apply(self, values: Column) -> list[Any]:
        """The record's column."""
        ...


class _Cache(dict[Any, Any]):
    """Value to converted value; forgets all when it is full, refusals are not kept."""

    def __init__(self, field: ScalarField) -> None:
        super().__init__()
        self.field = field

    def __missing__(self, value: Any) -> Any:
        found = self.field.one(value)
        if type(found) is Refusal:
            self.field.refused = True
        elif type(value) is not str or len(value) <= CACHED_LENGTH:
            if len(self) >= CACHED_VALUES:
                self.clear()
            self[value] = found
        return found


class ScalarField:
    """Numbers, dates, codes: values that repeat, each converted once."""

    def __init__(self, convert: Convert, empty: frozenset[str]) -> None:
        self.convert, self.empty = convert, empty
        self.refused = False
        self.caches: dict[type, _Cache] = {}
        """By type, because ``1 == True == 1.0``."""

    def apply(self, values: Column) -> list[Any]:
        """See :class:`Field`."""
        self.refused = False
        kinds = set(map(type, values))
        kinds.discard(type(None))
        if not kinds:
            return [None] * len(values)
        try:
            if len(kinds) == 1:
                cache = self._cache(kinds.pop())
                return list(map(cache.__getitem__, values))
            return [self._cache(type(value))[value] for value in values]
        except TypeError:  # a list or an object: not hashable
            found = [self.one(value) for value in values]
            self.refused = any(type(value) is Refusal for value in found)
            return found

    def one(self, value: Any) -> Any:
        """One value, converted."""
        if value is None or type(value) is Refusal:
            return value
        if isinstance(value, str):
            if value.strip() in self.empty:
                return None
            if len(value) > LONGEST_SCALAR:
                return Refusal(
                    "mapping.too_long",
                    value,
                    f"不超过 {LONGEST_SCALAR} 个字符的值",
                    f"at most {LONGEST_SCALAR} characters here",
                )
        return self.convert(value)

    def _cache(self, kind: type) -> _Cache:
        cache = self.caches.get(kind)
        if cache is None:
            cache = self.caches[kind] = _Cache(self)
        return cache


class TextField:
    """Texts: the whole column is checked in one go (joined by NUL, which no text may hold)."""

    def __init__(self, empty: frozenset[str], max_bytes: int, spelling: Callable[[str], str] | None = None) -> None:
        """``spelling`` changes one text; it runs for those that ``unusual`` finds, or for all without a pattern."""
        self.empty, self.max_bytes, self.spelling = empty | {""}, max_bytes, spelling
        self.unusual = {texts.company_name: texts.UNUSUAL_IN_NAMES, texts.code: texts.UNUSUAL_IN_CODES}.get(spelling)  # type: ignore[arg-type]
        self.whole = {texts.upper: str.upper, texts.lower: str.lower}.get(spelling)  # type: ignore[arg-type]
        self.refused = False

    def apply(self, values: Column) -> list[Any]:
        """See :class:`Field`."""
        self.refused = False
        try:
            joined = "\0".join(values)
        except TypeError:
            if not set(map(type, values)) <= {str, type(None)}:
                return self._one_by_one(values)
            values = [value or "" for value in values]
            joined = "\0".join(values)
        if not self._ordinary(joined, len(values), max(map(len, values), default=0)):
            return self._one_by_one(values)
        empty = self.empty
        found: list[Any] = list(map(str.strip, values))
        if not empty.isdisjoint(found):
            found = [None if value in empty else value for value in found]
        return found if self.spelling is None else self._spelled(found, joined)

    def _ordinary(self, joined: str, count: int, longest: int) -> bool:
        if joined.count("\0") != max(count - 1, 0) or not unicodedata.is_normalized("NFC", joined):
            return False
        try:
            size = len(joined.encode("utf-8"))
        except UnicodeEncodeError:
            return False
        return size <= self.max_bytes or 4 * longest <= self.max_bytes

    def _spelled(self, found: list[Any], joined: str) -> list[Any]:
        spelling = self.spelling
        assert spelling is not None  # noqa: S101
        if self.whole is not None and joined.isascii():
            return [None if value is None else self.whole(value) for value in found]
        if self.unusual is None:
            return [value and spelling(value) for value in found]
        unusual = self.unusual.search
        if unusual(joined) is None:
            return found
        return [(spelling(value) or None) if value and unusual(value) else value for value in found]

    def _one_by_one(self, values: Column) -> list[Any]:
        found = [self.one(value) for value in values]
        self.refused = any(type(value) is Refusal for value in found)
        return found

    def one(self, value: Any) -> str | Refusal | None:
        """One value, converted."""
        if value is None or type(value) is Refusal:
            return value
        text = texts.as_text(value)
        if isinstance(text, Refusal):
            return text
        refusal = texts.storable(text, self.max_bytes)
        if refusal is not None:
            return refusal
        text = texts.clean(text)
        if text in self.empty:
            return None
        return (self.spelling(text) if self.spelling else text) or None


class ValueField:
    """Values taken as they are (lists, objects, numbers of a JSON source); texts in them are checked."""

    def __init__(self, empty: frozenset[str], max_bytes: int) -> None:
        self.text = TextField(empty, max_bytes)
        self.max_bytes = max_bytes
        self.refused = False

    def apply(self, values: Column) -> list[Any]:
        """See :class:`Field`."""
        self.refused = False
        kinds = set(map(type, values))
        if kinds <= {bool, type(None)}:
            return list(values)
        if kinds <= {str, type(None)}:
            found = self.text.apply(values)
            self.refused = self.text.refused
            return found
        found = [self.one(value) for value in values]
        self.refused = any(type(value) is Refusal for value in found)
        return found

    def one(self, value: Any) -> Any:
        """One value, converted."""
        found, _ = self._checked(value, 0)
        return found

    def _checked(self, value: Any, depth: int) -> tuple[Any, int]:
        """The value and about how many bytes it takes."""
        if value is None or isinstance(value, (bool, Refusal)):
            return value, 0
        if isinstance(value, int):
            return (value, 8) if abs(value) <= MAX_INTEGER else (integer(value), 8)
        if isinstance(value, (dict, list, tuple)):
            return self._inside(value, depth)
        if isinstance(value, float):
            text = texts.as_text(value)
            return (text, 0) if isinstance(text, Refusal) else (int(value) if value.is_integer() else value, 8)
        found = self.text.one(value)
        return found, len(found) if isinstance(found, str) else 0

    def _inside(self, value: Any, depth: int) -> tuple[Any, int]:
        if depth > DEEPEST:
            return Refusal(
                "mapping.value", "…", f"嵌套不超过 {DEEPEST} 层的值", f"a value nested at most {DEEPEST} deep"
            ), 0
        total = 0
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        found: dict[Any, Any] = {}
        for key, item in pairs:
            inner, size = self._checked(item, depth + 1)
            total += size + 8
            if isinstance(inner, Refusal):
                return inner, 0
            if total > self.max_bytes:
                return Refusal(
                    "mapping.too_long", "…", f"不超过 {self.max_bytes} 字节的值", f"at most {self.max_bytes} bytes"
                ), 0
            if inner is not None:
                found[key] = inner
        if isinstance(value, dict):
            return ({str(key): item for key, item in found.items()} or None), total
        return (list(found.values()) or None), total


class ListField:
    """A list of texts: from a list, or from one text with a separator."""

    def __init__(self, empty: frozenset[str], max_bytes: int, separator: str) -> None:
        self.text, self.separator = TextField(empty, max_bytes), separator
        self.refused = False

    def apply(self, values: Column) -> list[Any]:
        """See :class:`Field`."""
        found = [self.one(value) for value in values]
        self.refused = any(type(value) is Refusal for value in found)
        return found

    def one(self, value: Any) -> Any:
        """One value, converted."""
        if value is None or type(value) is Refusal:
            return value
        if not isinstance(value, (list, tuple)):
            text = self.text.one(value)
            if not isinstance(text, str):
                return text
            value = text.split(self.separator)
        items = [self.text.one(item) for item in value]
        refusal = next((item for item in items if isinstance(item, Refusal)), None)
        return refusal or [item for item in items if item is not None] or None
