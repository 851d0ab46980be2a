"""CSV: any encoding and dialect, one bad record refused with its line number, the rest read on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import IO, Any, Final

from connectors.errors import RowRefused, SourceColumnsChanged, SourceMisconfigured
from connectors.kinds import documents
from connectors.kinds.documents import HalfWritten, Item
from connectors.kinds.file.settings import Layout, Limits

_BIGGEST: Final = 2**31 - 1


class Lines:
    """The lines of one record after the other, as :func:`csv.reader` asks for them.

    Keeps the lines of the record that is being read, so that after a stray quote they can be gone through again one
    by one: a quote that nobody closes spoils one line, not the rest of the file.
    """

    def __init__(self, text: IO[str], max_record: int) -> None:
        self._text, self._max_record = text, max_record
        self._again: list[str] = []
        self.record: list[str] = []
        self.number = 0
        """Of the line given last."""
        self._length = 0
        self.good = True
        """Whether all characters of the record can be taken."""

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._text.readline(self._max_record + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if self.number == 1:
            line = line.removeprefix("\ufeff")
        self.record.append(line)
        self._length += len(line)
        if self._length > self._max_record:
            self._leave_line(line)
            raise documents.too_long(None, self._max_record, "record" if len(self.record) > 1 else "line")
        if not line.isascii() or "\x00" in line:
            self.good = self.good and documents.is_text(line)
        return line

    def _leave_line(self, line: str) -> None:
        """Skip what is left of a line that is too long."""
        while line and not line.endswith(("\n", "\r")) and not self._again:
            line = self._text.readline(1 << 20)

    def next_record(self) -> None:
        """The record is done with."""
        self.record.clear()
        self._length = 0
        self.good = True

    def only_first(self) -> str:
        """Give up on the record's first line alone; the others will be read again as records of their own."""
        first, others = self.record[0], self.record[1:]
        self._again.extend(reversed(others))
        self.number -= len(others)
        self.next_record()
        return first

    @property
    def at_end(self) -> bool:
        """Whether the line given last is the file's last and has no end."""
        return not self._again and bool(self.record) and not self.record[-1].endswith(("\n", "\r"))


def csv_rows(
    stream: IO[bytes], where: str, columns: Sequence[str], layout: Layout, limits: Limits
) -> tuple[tuple[str, ...], Iterator[Item]]:
    """The columns and the rows, whose values are text in the order of the columns."""
    settings = layout.csv
    text = io.TextIOWrapper(stream, encoding=layout.encoding, errors="surrogateescape", newline="", write_through=False)
    lines = Lines(text, limits.max_record)
    if csv.field_size_limit() < limits.max_record:
        csv.field_size_limit(min(limits.max_record, _BIGGEST))
    for _ in range(settings.get("skip_lines", 0)):
        next(lines, None)
        lines.next_record()
    header = _header(lines, where, layout)
    names = tuple(columns) or header
    return names, _records(lines, where, header, names, layout, limits)


def _reader(lines: Lines, layout: Layout) -> Any:
    settings = layout.csv
    quote = settings.get("quote", '"')
    return csv.reader(
        lines,
        delimiter=settings.get("delimiter", ","),
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        escapechar=settings.get("escape"),
        doublequote=settings.get("double_quote", True),
        skipinitialspace=settings.get("skip_initial_space", False),
        strict=True,
    )


def _header(lines: Lines, where: str, layout: Layout) -> tuple[str, ...]:
    settings = layout.csv
    if not settings.get("header", True):
        return tuple(settings["columns"])
    try:
        found = next(_reader(lines, layout), None)
    except (csv.Error, RowRefused) as error:
        raise SourceMisconfigured(f"{where}:{lines.number}: the header cannot be read: {error}") from None
    if found is None:
        raise SourceMisconfigured(f"{where}: is empty, expected at least a header")
    if not lines.good:
        raise SourceMisconfigured(
            f"{where}:{lines.number}: the header is no text in {layout.encoding} (setting encoding)"
        )
    header = tuple(name.strip() for name in found)
    lines.next_record()
    return tuple(settings.get("columns", header))


def _records(
    lines: Lines, where: str, header: tuple[str, ...], names: tuple[str, ...], layout: Layout, limits: Limits
) -> Iterator[Item]:
    pick = picker(where, header, names, layout.optional)
    width = len(header)
    reader = _reader(lines, layout)
    while True:
        first = lines.number + 1
        try:
            row = next(reader, None)
            if row is None:
                return
            if not row:
                lines.next_record()
                continue
            weight = sum(map(len, lines.record))
            _require_good(row, lines, width, weight, limits)
        except (RowRefused, csv.Error) as error:
            why = error if isinstance(error, RowRefused) else _broken(error)
            if why.rule in ("source.columns", "source.syntax") and lines.at_end and not layout.final:
                raise HalfWritten(f"{where}:{lines.number}: the file ends in the middle of a record") from None
            yield _refused(lines, where, first, why)
            reader = _reader(lines, layout)
            continue
        lines.next_record()
        yield Item(first, weight, pick(row))


def _require_good(row: list[str], lines: Lines, width: int, weight: int, limits: Limits) -> None:
    if not lines.good:
        raise documents.no_text("".join(lines.record))
    if len(row) != width:
        raise RowRefused(
            "source.columns", f"应有 {width} 列,实有 {len(row)} 列。", f"got {len(row)} columns, expected {width}."
        )
    if weight > limits.max_field:
        longest = max(map(len, row))
        if longest > limits.max_field:
            raise documents.too_long(longest, limits.max_field)


def _broken(error: csv.Error) -> RowRefused:
    return RowRefused("source.syntax", f"不是有效的 CSV:{error}。", f"is no valid CSV: {error}.")


def _refused(lines: Lines, where: str, first: int, why: RowRefused) -> Item:
    whole_record = why.rule in ("source.size", "source.nul", "source.encoding")
    if whole_record:
        raw = "".join(line[: documents.EXCERPT] for line in lines.record[:20])
        lines.next_record()
    else:
        raw = lines.only_first()
    return Item(first, 0, documents.refuse(f"{where}:{first}", {"line": raw.rstrip("\r\n")}, why))


def picker(where: str, header: Sequence[str], names: Sequence[str], optional: frozenset[str]) -> Any:
    """A function from a row to the values of the named columns. Raises SourceColumnsChanged if one is not there."""
    missing = [name for name in names if name not in header and name not in optional]
    if missing:
        raise SourceColumnsChanged(where, missing, list(header)[:200])
    twice = sorted({name for name in names if list(header).count(name) > 1})
    if twice:
        raise SourceMisconfigured(f"{where}: the column {', '.join(twice)} stands twice in the header")
    places = [header.index(name) if name in header else None for name in names]
    if any(place is None for place in places):
        return lambda row: tuple(None if place is None else row[place] for place in places)
    known = [place for place in places if place is not None]
    if len(known) == 1:
        return lambda row: (row[known[0]],)
    return itemgetter(*known) if known else lambda _: ()
