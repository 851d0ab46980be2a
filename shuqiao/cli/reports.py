"""What became of batches, as JSON, as a table, and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from registry.domain.batches import BatchReport, State
from shuqiao.cli import output
from shuqiao.cli.exit_codes import ExitCode

_GOOD = {State.PUBLISHED, State.SUPERSEDED, State.DRY_RUN}
_COUNTS = {
    "读取 pulled": "pulled",
    "通过 accepted": "accepted",
    "退回 refused": "refused",
    "新增 new": "new",
    "变更 changed": "changed",
    "未变 unchanged": "unchanged",
    "删除 deleted": "deleted",
}


def as_document(report: BatchReport) -> dict[str, Any]:
    """A report as JSON has it."""
    return {
        "batch": report.batch_id,
        "connector": report.connector,
        "dataset": report.dataset,
        "state": report.state.value,
        "mode": report.mode.value,
        **asdict(report.counts),
        "seconds": round(report.seconds, 3),
        "started_at": report.started_at,
        "ended_at": report.ended_at,
        "held_reasons": [asdict(reason) for reason in report.held_reasons],
        "superseded_by": report.superseded_by,
    }


def show(reports: Sequence[BatchReport]) -> None:
    """A table, and for held batches why and what to do."""
    output.table(
        "批次 Batches",
        ["#", "连接器 connector", "状态 state", *_COUNTS, "秒 seconds"],
        (
            (each.batch_id, each.connector, each.state.value)
            + tuple(getattr(each.counts, name) for name in _COUNTS.values())
            + (f"{each.seconds:.1f}",)
            for each in reports
        ),
        right=["#", *_COUNTS, "秒 seconds"],
    )
    for each in reports:
        if each.state is State.HELD:
            for reason in each.held_reasons:
                output.note(f"✗ {each.connector}: {reason.zh} / {reason.en}")
            output.note(f"    → shuqiao batches show {each.batch_id}; shuqiao batches approve|discard {each.batch_id}")


def leave_unless_published(reports: Sequence[BatchReport]) -> None:
    """End with 1 when a batch was not published."""
    if any(each.state not in _GOOD for each in reports):
        raise typer.Exit(ExitCode.FAILED)
