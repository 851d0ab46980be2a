"""What happened to a batch, in a sentence, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.domain.batches import BatchReport, State
from registry.licences.issue import Counts

_ENDINGS = {
    State.PULLING: ("正在读取", "is being pulled"),
    State.HELD: ("未发布，等待人工决定", "is held for a person"),
    State.PUBLISHED: ("已发布", "is published"),
    State.SUPERSEDED: (
        "已被同一起点的后一批次取代，数据没有遗漏",
        "was overtaken by a batch from the same cursor; nothing is lost",
    ),
    State.DISCARDED: ("已放弃", "was discarded"),
    State.DRY_RUN: ("为试运行，未写入登记库", "was a dry run; nothing was written"),
}


def sentence(report: BatchReport) -> str:
    """One line for people: Airflow's notes, logs, the command line."""
    zh, en = _ENDINGS[report.state]
    counts = report.counts
    chinese = (
        f"批次 {report.batch_id} {zh}：读取 {counts.pulled}，通过 {counts.accepted}，退回 {counts.refused}，"
        f"新增 {counts.new}，变更 {counts.changed}，未变 {counts.unchanged}，删除 {counts.deleted}"
    )
    english = (
        f"batch {report.batch_id} {en}: {counts.pulled} pulled, {counts.accepted} accepted, {counts.refused} refused, "
        f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged, {counts.deleted} deleted"
    )
    if report.held_reasons:
        chinese += "。原因：" + "；".join(reason.zh for reason in report.held_reasons)
        english += ". Why: " + "; ".join(reason.en for reason in report.held_reasons)
    return f"{chinese} / {english}"


def licences_sentence(report: Mapping[str, Any]) -> str:
    """What a run of the e-licences came to (an IssueReport as plain data), in one line."""
    done = Counts(**report["total"])
    chinese = (
        f"电子证照：新发 {done.issued}，换发新版本 {done.new_versions}，状态变更 {done.state_changes}，"
        f"未签发 {done.refused}，无变化 {done.unchanged}"
    )
    english = (
        f"e-licences: {done.issued} issued, {done.new_versions} new versions, {done.state_changes} changes of state, "
        f"{done.refused} refused, {done.unchanged} unchanged"
    )
    if not report["caught_up"]:
        chinese += "；有更早开始的事务尚未结束，其后的变更下次处理"
        english += "; an older transaction still runs: what is behind it follows next time"
    if report["begun_again"]:
        names = ", ".join(report["begun_again"])
        chinese += f"；中断过久、变更记录已过保留期，已从头核对全部记录：{names}"
        english += (
            f"; had not followed for longer than the change feed is kept, so all records were gone through: {names}"
        )
    return f"{chinese} / {english}"
