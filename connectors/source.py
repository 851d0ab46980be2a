"""The port between the hub and a department's system.

A source kind (``sql``, ``rest``, ``file``, or a department's own, found by the entry point ``shuqiao.sources``) is a
class that satisfies :class:`Source`. It yields rows as the department's system has them; what they mean is the
mapping's business, whether they are good is the schemas'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from connectors.connection import Connection

Cursor = Mapping[str, Any]
"""How far a connector has read: JSON-able, written and read by the source alone. ``None``: from the start."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a source that can be read on its own, in a process of its own, as often as need be."""

    number: int
    """0-based. Where the same record stands in two partitions, the higher number wins."""
    label: str
    """For people: ``reg_no 2/4``, ``2026-11-20/permits.csv``."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able; what :meth:`Source.read` needs. Never holds a secret."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that the source could not even read: a broken line, bytes that are no text, too many columns."""

    place: str
    raw: Mapping[str, Any]
    """What could be read of it, JSON-able, shortened to a few thousand characters."""
    rule: str
    """Stable code, for example ``file.encoding``."""
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Some thousands of rows, in the order of reading, and the cursor reached after them."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    """Each row's values, in the order of ``columns``."""
    where: str
    """Where these rows stand, for people: ``exchange.ent_info``, ``permits.zip!a.xml``, an address without secrets."""
    first: int = 1
    """1-based number of the first row within ``where``; the others count on from it, unless ``numbers`` is given."""
    numbers: Sequence[int] | None = None
    """Each row's own number within ``where`` (a line number, say), if they are not consecutive."""
    refused: Sequence[RefusedRow] = ()
    reached: Cursor | None = None
    """The cursor to go on from once these rows and all before them in this partition are published."""
    unchanged: bool = False
    """The source says nothing has changed since the cursor (HTTP 304, no new file): no snapshot to compare."""

    def place(self, index: int) -> str:
        """Where row ``index`` stands, for people."""
        number = self.first + index if self.numbers is None else self.numbers[index]
        return f"{self.where}:{number}"


@dataclass(frozen=True, slots=True)
class DiscoveredField:
    """One column, field or path that a table, file or endpoint offers."""

    name: str
    type: str
    """The source's own word for the type."""
    samples: tuple[str, ...] = ()
    """A few values, shortened and masked."""


@dataclass(frozen=True, slots=True)
class DiscoveredTable:
    """A table, file or endpoint that the source offers."""

    name: str
    fields: tuple[DiscoveredField, ...]
    key: tuple[str, ...] = ()
    rows: int | None = None
    """About how many; ``None`` if the source cannot tell cheaply."""


class Source(Protocol):
    """One department's system, as one manifest describes it.

    Every method may raise SourceUnavailable or SourceMisconfigured and nothing else; the wrapping surrounds the loops
    of the generators too.
    """

    settings_schema: ClassVar[Mapping[str, Any]]
    """JSON Schema (2020-12) of the kind's own keys in the manifest's ``source`` section (without ``kind`` and
    ``connection`` and the keys common to all kinds, see :mod:`connectors.manifest`)."""

    def __init__(self, settings: Mapping[str, Any], connection: Connection | None, columns: Sequence[str]) -> None:
        """Open nothing yet.

        ``settings`` is the manifest's source section, valid per ``settings_schema``; ``columns`` are the source columns
        (or dotted paths) that the mapping, the row id, the operation flag and the cursor read: no others are needed.
        """

    def check(self) -> str:
        """Reach the source and look whether what the manifest names is there; a sentence about what was found."""

    def discover(self) -> Sequence[DiscoveredTable]:
        """What the source has to offer: tables or files, fields, samples."""

    def partitions(self, since: Cursor | None) -> Sequence[Partition]:
        """The parts to read now; empty when there is nothing new. The answer is stored and reused by retries."""

    def read(self, partition: Partition, since: Cursor | None) -> Iterator[Rows]:
        """The rows of one partition changed since the cursor, in a stable order, in flat memory.

        Yields at least one ``Rows`` (an empty one if there is nothing); the last one's ``reached`` is the partition's.
        """

    def combine(self, since: Cursor | None, reached: Sequence[Cursor | None]) -> Cursor | None:
        """The connector's new cursor from those that its partitions reached. Pure."""

    def close(self) -> None:
        """Give back connections; harmless when called twice."""
