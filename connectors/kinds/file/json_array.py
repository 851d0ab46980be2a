"""A JSON document's rows, one element after the other, however large the document is."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final

from connectors.errors import RowRefused, SourceMisconfigured
from connectors.kinds import documents
from connectors.kinds.documents import HalfWritten, Item
from connectors.kinds.file.settings import Layout, Limits
from connectors.kinds.measures import readable_size

CHUNK: Final = 1 << 16
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SUSPECT: Final = re.compile("NaN|Infinity|\\\\u(?:0000|[dD][89a-fA-F])|[\x00\ud800-\udfff]")


class Scanner:
    """Reads values from a text that need not fit into memory."""

    def __init__(self, text: IO[str], where: str, max_record: int) -> None:
        self._text, self._where, self._max_record = text, where, max_record
        self._buffer, self._at, self._ended = "", 0, False
        self._open: list[str] = []
        """The brackets that must be closed after the rows."""

    def _more(self) -> bool:
        """Read on; False at the end."""
        chunk = "" if self._ended else self._text.read(max(CHUNK, len(self._buffer) - self._at))
        self._ended = self._ended or not chunk
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        """The next character, which must be one of those expected."""
        got = self.peek()
        if not got:
            raise HalfWritten(f"{self._where}: the file ends in the middle of the JSON document")
        if got not in expected:
            wanted = " or ".join(expected)
            raise SourceMisconfigured(f"{self._where}: is no valid JSON: got {got!r}, expected {wanted}")
        self._at += 1
        return got

    def enter(self) -> None:
        """Go into an object."""
        self.take("{")
        self._open.append("}")

    def value(self) -> tuple[Any, str]:
        """The next value and its text."""
        if not self.peek():
            raise HalfWritten(f"{self._where}: the file ends in the middle of the JSON document")
        while True:
            try:
                value, end = documents.decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                self._read_on_or_raise(error)
                continue
            except RowRefused as error:
                raise SourceMisconfigured(f"{self._where}: is {error.en}") from None
            if end == len(self._buffer) and isinstance(value, int | float) and self._more():
                continue  # a number may go on
            text, self._at = self._buffer[self._at : end], end
            return value, text

    def _read_on_or_raise(self, error: json.JSONDecodeError) -> None:
        if len(self._buffer) - self._at > self._max_record:
            limit = readable_size(self._max_record)
            raise SourceMisconfigured(
                f"{self._where}: is no valid JSON ({error.msg}), or one value is larger than {limit} "
                "(setting max_record; does row_path name the list of rows?)"
            ) from None
        # What is wrong far before the end of the buffer does not get better by reading on.
        cut_short = error.msg.startswith("Unterminated") or not self._buffer[error.pos :].strip()
        if len(self._buffer) - error.pos > CHUNK and not cut_short:
            raise SourceMisconfigured(f"{self._where}: is no valid JSON: {error.msg}") from None
        if not self._more():
            if cut_short:
                raise HalfWritten(f"{self._where}: the file ends in the middle of the JSON document") from None
            raise SourceMisconfigured(f"{self._where}: is no valid JSON: {error.msg}") from None

    def skip(self) -> None:
        """Leave out one value of any size that nests no deeper than allowed."""
        if self.peek() not in ("{", "["):
            self.value()
            return
        closing: list[str] = []
        while True:
            got = self.peek()
            if not got:
                raise HalfWritten(f"{self._where}: the file ends in the middle of the JSON document")
            if got == '"':
                self.value()
            else:
                self._at += 1
                self._nest(got, closing)
            if not closing:
                return

    def finish(self) -> None:
        """Read what stands after the rows too, or a file cut short there would pass for a whole one."""
        while got := self.peek():
            if got == '"':
                self.value()
            else:
                self._at += 1
                self._nest(got, self._open)
        if self._open:
            raise HalfWritten(f"{self._where}: the file ends in the middle of the JSON document")

    def _nest(self, got: str, closing: list[str]) -> None:
        if got in "{[":
            closing.append("}" if got == "{" else "]")
        elif got in "}]" and (not closing or closing.pop() != got):
            raise SourceMisconfigured(f"{self._where}: is no valid JSON: brackets do not match")
        if len(closing) > documents.MAX_DEPTH:
            raise SourceMisconfigured(f"{self._where}: is {documents.too_deep().en}")


def json_items(stream: IO[bytes], where: str, layout: Layout, limits: Limits) -> Iterator[Item]:
    """The rows at the row path; those that cannot be taken are refused one by one."""
    text = io.TextIOWrapper(stream, encoding=_without_mark(layout.encoding), errors="surrogateescape", newline="")
    scanner = Scanner(text, where, limits.max_record)
    _descend(scanner, where, layout.row_path.split(".") if layout.row_path else [])
    number = 0
    scanner.take("[")
    if scanner.peek() == "]":
        return
    while True:
        number += 1
        value, raw = scanner.value()
        yield _item(value, raw, number, where, limits)
        if scanner.take(",]") == "]":
            break
    scanner.finish()


def _without_mark(encoding: str) -> str:
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _descend(scanner: Scanner, where: str, path: list[str]) -> None:
    """Go to where the row path leads."""
    for depth, wanted in enumerate(path):
        scanner.enter()
        seen: list[str] = []
        while True:
            if scanner.peek() == "}":
                at = ".".join(path[: depth + 1])
                raise SourceMisconfigured(f"{where}: nothing at {at} (setting row_path); there are {', '.join(seen)}")
            name, _ = scanner.value()
            scanner.take(":")
            if name == wanted:
                break
            seen = [*seen, str(name)][:20]
            scanner.skip()
            if scanner.peek() == ",":
                scanner.take(",")


def _item(value: Any, raw: str, number: int, where: str, limits: Limits) -> Item:
    try:
        row = documents.an_object(value)
        if len(raw) > limits.max_field or not documents.is_flat(row) or _SUSPECT.search(raw):
            documents.inspect(row, limits.max_field)
    except RowRefused as error:
        return Item(number, 0, documents.refuse(f"{where}:{number}", value, error))
    return Item(number, len(raw), row)
