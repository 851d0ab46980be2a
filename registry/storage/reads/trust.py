"""What anyone may read to verify a licence: issuers, their keys and their status lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry.storage.reads.pool import Pool

_STATUS_LIST = """
SELECT document, edition, signed_at, valid_until FROM registry.status_list WHERE group_id = $1 AND purpose = $2
"""
_MARK = """
SELECT concat_ws(' ', count(*), max(created_at), max(retired_at), max(revoked_at), min(master_key_id),
                 max(master_key_id),
                 (SELECT md5(string_agg(concat_ws('|', code, name, name_en), '|' ORDER BY code)) FROM registry.issuer)
       ) AS mark
FROM registry.signing_key
"""


@dataclass(frozen=True, slots=True)
class StatusList:
    """A signed status list."""

    document: bytes
    edition: int
    signed_at: datetime
    valid_until: datetime


async def status_list(pool: Pool, group: int, purpose: str) -> StatusList | None:
    """The status list of a group of positions for a purpose: ``revocation``, ``suspension``, ``message``."""
    row = await pool.row(_STATUS_LIST, group, purpose)
    return row and StatusList(bytes(row["document"]), row["edition"], row["signed_at"], row["valid_until"])


async def mark(pool: Pool) -> str:
    """Another text whenever an issuer or a key was entered, renamed, retired, revoked or sealed anew."""
    row = await pool.row(_MARK)
    assert row is not None  # noqa: S101  (an aggregate has one row)
    return str(row["mark"])
