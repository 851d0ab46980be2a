"""Batches: what one run of one connector pulled, and the rules that decide whether it may be published. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SMALL = 20
"""So few refused or missing rows never hold a batch: shares of small numbers say nothing."""

COLUMNS_CHANGED = "columns_changed"
"""The code of the one reason that no approval can overcome."""


class Mode(StrEnum):
    """How much of the source a batch reads."""

    INCREMENTAL = "incremental"
    FULL = "full"


class State(StrEnum):
    """Where a batch stands."""

    PULLING = "pulling"
    HELD = "held"
    """A gate stopped it before publishing; a person may approve or discard it."""
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    """Another batch that began at the same cursor was published first: it read all that this one read."""
    DISCARDED = "discarded"
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one batch. ``accounted`` ties them together: no row is lost between source and registry."""

    pulled: int = 0
    accepted: int = 0
    """Valid rows: new + changed + unchanged + duplicates."""
    refused: int = 0
    duplicates: int = 0
    """Valid rows that another row of the same batch repeats or overtakes."""
    delete_flags: int = 0
    """Rows that the source sent to say that a record is gone."""
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Records taken out of the registry: by flag, or missing from a snapshot, or under their old key."""

    @property
    def accounted(self) -> bool:
        """Every row read is refused, a deletion, or valid; every valid row is published or repeated by another."""
        return (
            self.pulled == self.accepted + self.refused + self.delete_flags
            and self.accepted == self.new + self.changed + self.unchanged + self.duplicates
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The gates of one connector, as shares of one."""

    max_refused: float = 0.05
    max_shrink: float = 0.20


@dataclass(frozen=True, slots=True)
class HeldReason:
    """Why a batch was stopped before publishing."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a batch."""

    batch_id: int
    connector: str
    dataset: str
    state: State
    mode: Mode
    counts: Counts
    started_at: datetime
    ended_at: datetime | None
    held_reasons: tuple[HeldReason, ...] = ()
    superseded_by: int | None = None

    @property
    def seconds(self) -> float:
        """From planning to the end; 0 while it is open."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else 0.0


def held_reasons(
    counts: Counts,
    limits: Limits,
    *,
    records_before: int,
    complete: bool,
    missing_columns: Sequence[str] = (),
) -> tuple[HeldReason, ...]:
    """Why this batch must not be published as it is; empty when it may.

    ``complete``: the batch read the whole source, so fewer rows mean that records vanished.
    """
    reasons = []
    if missing_columns:
        names = ", ".join(missing_columns)
        reasons.append(
            HeldReason(
                COLUMNS_CHANGED,
                f"数据源缺少映射所需的列：{names}；请修改清单后重新运行",
                f"the source lacks columns that the mapping reads: {names}; correct the manifest and run again",
            )
        )
    if counts.refused > SMALL and counts.refused > limits.max_refused * counts.pulled:
        share = counts.refused / counts.pulled
        reasons.append(
            HeldReason(
                "too_many_refused",
                f"读取 {counts.pulled} 条，退回 {counts.refused} 条（{share:.1%}），超过上限 {limits.max_refused:.1%}",
                f"{counts.refused} of {counts.pulled} refused ({share:.1%}), the limit is {limits.max_refused:.1%}",
            )
        )
    remaining = counts.accepted - counts.duplicates + counts.refused
    lost = records_before - remaining if complete else counts.delete_flags
    if lost > SMALL and lost > limits.max_shrink * records_before:
        share = lost / max(records_before, 1)
        reasons.append(
            HeldReason(
                "volume_collapsed",
                f"将从现有 {records_before} 条中减少 {lost} 条（{share:.1%}），超过上限 {limits.max_shrink:.1%}",
                f"{lost} of {records_before} records would go ({share:.1%}); the limit is {limits.max_shrink:.1%}",
            )
        )
    return tuple(reasons)
