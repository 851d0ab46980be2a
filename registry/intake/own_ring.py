"""A registry's personal values are sealed with one ring of keys: another one would see every record as changed."""

from __future__ import annotations

from uuid import UUID

import psycopg

from registry.sealing import key_file
from registry.sealing.errors import PersonalKeysForeign

_MARK = b"the mark of this ring"


def expect_own(connection: psycopg.Connection) -> None:
    """Make sure that the ring is this registry's; the first that is used here becomes it.

    Raises PersonalKeysForeign; PersonalKeysMissing or PersonalKeysMalformed where there is no ring.
    """
    mark = UUID(key_file.ring().content_digest(_MARK))
    known = connection.execute("SELECT mark FROM registry.personal_ring").fetchone()
    if known is None:
        connection.execute("INSERT INTO registry.personal_ring (mark) VALUES (%s) ON CONFLICT DO NOTHING", (mark,))
        known = connection.execute("SELECT mark FROM registry.personal_ring").fetchone()
    if known is None or known[0] != mark:
        raise PersonalKeysForeign(
            "密钥环与登记库不符：库中个人信息由另一密钥环加密。"
            "请恢复原文件（SHUQIAO_PERSONAL_KEYS），见 docs/personal.md。",
            "This ring is not the one that the registry's personal values are sealed with: restore that file "
            "(SHUQIAO_PERSONAL_KEYS); see docs/personal.md.",
        )
