"""Keep what is known of enterprises up to their records, once: what the DAG does."""

from __future__ import annotations

from datetime import datetime

from registry.credit import keeping
from registry.credit.following import FollowReport
from registry.storage.database import connect
from shuqiao.registry_address import database_url

WAIT_SECONDS = 45.0
"""So long a transaction that is older than the changes to follow is waited for."""

_WORDS = {
    "looked_at": ("查看记录", "records looked at"),
    "identifiers_changed": ("旧标识变动", "old identifiers changed"),
    "discrepancies_opened": ("新增不一致", "discrepancies opened"),
    "discrepancies_closed": ("不一致已消除", "discrepancies closed"),
    "matches_found": ("新增匹配候选", "candidate matches found"),
    "matches_accepted": ("按规则归集", "matches accepted by rule"),
    "matches_lapsed": ("匹配失效", "matches lapsed"),
    "findings_opened": ("新增问题", "findings opened"),
    "findings_closed": ("问题已解决", "findings closed"),
}


def run(now: datetime) -> FollowReport:
    """Follow the registry's changes, and enter what a day brings by itself. Raises RuleFileError, NoEdition."""
    with connect(database_url(), application="shuqiao credit") as connection:
        return keeping.follow(connection, now=now, wait=WAIT_SECONDS)


def sentence(report: FollowReport) -> str:
    """What a run came to, in one line, in Chinese and English."""
    chinese = "，".join(f"{zh} {report.counts[name]}" for name, (zh, _) in _WORDS.items())
    english = ", ".join(f"{report.counts[name]} {en}" for name, (_, en) in _WORDS.items())
    if not report.caught_up:
        chinese += "；有更早开始的事务尚未结束，其后的变更下次处理"
        english += "; an older transaction still runs: what is behind it follows next time"
    return f"法人库：{chinese} / enterprises: {english}"
