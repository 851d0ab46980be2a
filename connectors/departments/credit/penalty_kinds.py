"""处罚类别 as the credit office writes it (several in one text) to the shared code list."""

from __future__ import annotations

import re

from connectors.errors import RowRefused
from schemas import code_lists

_SEPARATORS = re.compile(r"[、；;,，\s]+")


def penalty_kinds(text: str | None) -> list[str] | None:
    """``罚款、没收违法所得`` -> ``["fine", "confiscation_of_income"]``; RowRefused for a kind that is not listed."""
    words = [word for word in _SEPARATORS.split(text or "") if word]
    if not words:
        return None
    codes = {entry.zh: entry.code for entry in code_lists.load("penalty_kinds")}
    unknown = [word for word in words if word not in codes]
    if unknown:
        listed = "、".join(codes)
        shown = unknown[0][:40]
        raise RowRefused("mapping.code", f"{shown}：应为以下之一：{listed}", f"{shown}: expected one of {listed}")
    return list(dict.fromkeys(codes[word] for word in words))
