"""Objections 异议: from when to when the record is marked as disputed, and what a granted one does to the record."""

from __future__ import annotations

from typing import Literal

from registry.domain.credit.cases import OPEN, CreditRefused, State

Remedy = Literal["correct", "withdraw"]
"""``correct``: the department sends the corrected record, and until then the record stands without mark.
``withdraw``: the item is annulled; nobody sees it any more."""

REMEDIES: dict[Remedy, tuple[str, str]] = {
    "correct": ("更正：由认定部门报送更正后的记录", "correct: the department sends the corrected record"),
    "withdraw": ("撤销：该信息不再公示和共享", "withdraw: the item is neither published nor shared any more"),
}


def is_marked(state: State, mark_from: Literal["filed", "accepted"] | None) -> bool:
    """Whether a record carries the mark while an objection to it is in this state."""
    return state in OPEN and (state != "filed" or mark_from == "filed")


def remedy(asked: str | None) -> Remedy:
    """What the department does about an objection that it grants. Raises CreditRefused of none or another word."""
    for known in REMEDIES:
        if asked == known:
            return known
    zh = "；".join(f"{name}（{words[0]}）" for name, words in REMEDIES.items())
    en = "; ".join(f"{name} ({words[1]})" for name, words in REMEDIES.items())
    raise CreditRefused(
        "remedy_missing", f"支持异议须说明处理方式：{zh}", f"to grant an objection, say what is done: {en}"
    )
