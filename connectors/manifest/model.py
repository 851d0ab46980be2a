"""What a manifest says, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

DEFAULT_TIMEZONE = "Asia/Shanghai"
DEFAULT_MAX_FIELD = 1 << 20


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One title in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is told when the connector fails or its records are refused."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Operation:
    """The flag column of an exchange table (前置库); a row with one of ``delete`` deletes its record."""

    column: str
    delete: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A column that marks deleted rows: not empty, or, where ``values`` is given, one of them."""

    column: str
    values: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SourceSection:
    """Where the rows come from."""

    kind: str
    connection: str | None = None
    """The id of an Airflow connection: where secrets are kept."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The kind's own keys, as its ``settings_schema`` describes them."""
    row_id: tuple[str, ...] = ()
    """The columns that identify a row at the source; by default those that the key fields are mapped from."""
    operation: Operation | None = None
    tombstone: Tombstone | None = None
    snapshot: bool = False
    """Each complete read is the whole truth: a record that it lacks has been deleted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The gates: beyond them a batch is held for a person."""

    max_refused: float | None = None
    """Share of refused rows, 0 to 1."""
    max_shrink: float | None = None
    """Share by which a snapshot or full load may be smaller than the one before, 0 to 1."""
    rate: float | None = None
    """Requests (or pages) per second that the source tolerates."""
    max_field: int = DEFAULT_MAX_FIELD
    """Bytes of UTF-8 that one text may take."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One connector: source + mapping + dataset + schedule."""

    connector: str
    title: Bilingual
    department: str
    owner: Owner
    legal_basis: str
    source: SourceSection
    dataset: str
    schema: str
    """Reference, for example ``legal_entity@1``."""
    key: tuple[str, ...]
    """The record's fields that identify it within the dataset."""
    mapping: Mapping[str, Mapping[str, Any]]
    """Raw rules by record field; :mod:`connectors.mapping` compiles them."""
    schedule: str | None
    """Cron expression of five fields; ``None``: runs only when asked to."""
    path: Path
    digest: str
    """SHA-256 of the file, hexadecimal."""
    freshness: timedelta | None = None
    limits: Limits = Limits()
    timezone: str = DEFAULT_TIMEZONE
    """Of the schedule and of the source's date-times that name none."""
    empty: tuple[str, ...] | None = None
    """Texts that mean "no value" in every column; ``None``: the default list of :mod:`connectors.mapping`."""
