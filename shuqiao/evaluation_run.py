"""Keep the evaluations of enterprises up to their records, once: what the DAG does, and ``shuqiao credit evaluate``."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import datetime

import psycopg

from registry.credit import evaluation_cards, evaluations
from registry.credit.evaluation_cards import CardsKept
from registry.credit.evaluations import EvaluationReport, Progress, Told
from registry.domain.credit.marks import china_day
from registry.domain.credit.scorecard import Scorecard, Scorecards, default_scorecards
from registry.storage.database import connect
from shuqiao.registry_address import database_url

WAIT_SECONDS = 45.0
"""So long a transaction that is older than the changes to follow is waited for."""
SAY_SECONDS = 10.0
"""How often a run in the background says how far it has come."""
WORTH_PROCESSES = 50_000
"""From so many enterprises on several processes evaluate them all at once: starting them takes a second or two."""

_WORDS = {
    "evaluated": ("评价企业", "enterprises evaluated"),
    "written": ("结果变动", "evaluations changed"),
    "removed": ("移除", "removed"),
}


def run(now: datetime, told: Told | None = None) -> CardsKept:
    """Bring the evaluations by every card in use up to the registry. Raises RuleFileError, OtherRules."""
    with connect(database_url(), application="shuqiao evaluations") as connection:
        return evaluation_cards.keep_all(connection, default_scorecards(), now=now, wait=WAIT_SECONDS, told=told)


def keep(card: Scorecard, now: datetime, *, processes: int | None = None, told: Told | None = None) -> EvaluationReport:
    """Bring the evaluations by one card up to the registry, also by a draft, which is followed from then on.

    ``processes``: how many evaluate all enterprises if that has not been done; None: as many as there are processors,
    where it is worth it. Raises OtherRules; RuntimeError if one of them fails.
    """
    url = database_url()
    with connect(url, application="shuqiao evaluations") as connection:
        done, others = evaluations.progress(connection, card), 0
        if processes is None:
            processes = (os.cpu_count() or 1) if _enterprises(connection, card) >= WORTH_PROCESSES else 1
        if processes > 1 and (not done.parts or done.parts_done < done.parts):
            evaluations.evaluate_in_processes(url, card.path, processes, now=now, told=told)
            others = _made_at(connection, card, now)
        report = evaluations.keep(connection, card, now=now, wait=WAIT_SECONDS, told=told)
        report.counts.update(evaluated=others, written=others)
        return report


def in_force(cards: Scorecards, now: datetime) -> tuple[Scorecard, ...]:
    """The cards in force today."""
    return cards.live(china_day(now))


def every(seconds: float, told: Told) -> Told:
    """Tell the first time, and then only when so many seconds have gone by."""
    last = float("-inf")

    def sometimes(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            told(progress)

    return sometimes


def progress_words(progress: Progress) -> str:
    """How far an evaluation has come, in one line, in Chinese and English."""
    share = f"{progress.parts_done}/{progress.parts}"
    chinese, english = f"{progress.card}：已完成 {share} 段", f"{share} parts done"
    if progress.evaluated is not None:
        chinese += f"，评价企业 {progress.evaluated:,}"
        english += f", {progress.evaluated:,} enterprises evaluated"
    return f"{chinese} / {english}"


def sentence(kept: CardsKept) -> str:
    """What a run came to, in one line, in Chinese and English."""
    chinese, english = _counted(kept.counts)
    if kept.dropped:
        names = ", ".join(kept.dropped)
        chinese += f"；停用指标卡 {names}"
        english += f"; cards replaced: {names}"
    if kept.without_file:
        names = ", ".join(kept.without_file)
        chinese += f"；缺少文件的指标卡 {names}"
        english += f"; cards whose file is missing: {names}"
    if not kept.complete:
        chinese += "；其他进程仍在评价全部企业"
        english += "; other processes are still evaluating all enterprises"
    elif not kept.caught_up:
        chinese += "；有更早开始的事务尚未结束，其后的变更下次处理"
        english += "; an older transaction still runs: what is behind it follows next time"
    return f"信用评价（{len(kept.cards)} 个指标卡）：{chinese} / evaluations ({len(kept.cards)} cards): {english}"


def _counted(counts: Counter[str]) -> tuple[str, str]:
    return (
        "，".join(f"{zh} {counts[name]}" for name, (zh, _) in _WORDS.items()),
        ", ".join(f"{counts[name]} {en}" for name, (_, en) in _WORDS.items()),
    )


def _made_at(connection: psycopg.Connection, card: Scorecard, now: datetime) -> int:
    """How many evaluations the processes of one call made: they bear its moment."""
    row = connection.execute(
        "SELECT count(*) FROM registry.evaluation WHERE scorecard = %s AND version = %s AND computed_at = %s",
        (card.name, card.version, now),
    ).fetchone()
    return int(row[0]) if row else 0


def _enterprises(connection: psycopg.Connection, card: Scorecard) -> int:
    """About how many there are."""
    row = connection.execute(
        "SELECT coalesce(sum(c.records), 0) FROM registry.connector c JOIN registry.dataset d ON d.id = c.dataset_id"
        " WHERE d.name = %s",
        (card.enterprises,),
    ).fetchone()
    return int(row[0]) if row else 0
