"""Whether the licences contradict themselves: each has its signed form, and the lists say what its state says."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from registry.credentials import status_list
from registry.licences import status

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """A contradiction, with a few of the identifiers concerned."""

    zh: str
    en: str


def faults(connection: psycopg.Connection) -> list[Fault]:
    """Every contradiction that can be seen from inside, over all licences; reads one group of positions at a time."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return [*_without_form(connection), *_lists_that_differ(connection)]


def _without_form(connection: psycopg.Connection) -> list[Fault]:
    found = connection.execute(
        "SELECT identifier FROM registry.licence l WHERE NOT EXISTS"
        " (SELECT FROM registry.licence_form f WHERE f.licence_id = l.id AND f.form = 'vc') ORDER BY id"
    ).fetchall()
    return _fault("没有签名凭证", "have no signed credential", [row[0] for row in found])


def _lists_that_differ(connection: psycopg.Connection) -> list[Fault]:
    groups = connection.execute("SELECT id FROM registry.status_group ORDER BY id").fetchall()
    differing: list[str] = []
    for (group,) in groups:
        lists = {
            purpose: (bytes(bits), size)
            for purpose, bits, size in connection.execute(
                "SELECT purpose, bits, status_size FROM registry.status_list WHERE group_id = %s", (group,)
            )
        }
        for identifier, index, state, since, valid_to, superseded in connection.execute(
            "SELECT identifier, status_index, state, state_since, valid_to, superseded_by IS NOT NULL"
            " FROM registry.licence WHERE status_group_id = %s ORDER BY id",
            (group,),
        ):
            wanted = status.SUPERSEDED_BITS if superseded else status.bits_of(state, since, valid_to)
            if any(status_list.get(bits, index, size) != wanted.of(purpose) for purpose, (bits, size) in lists.items()):
                differing.append(identifier)
    return _fault("与状态列表不一致", "differ from their status lists", differing)


def _fault(zh: str, en: str, identifiers: list[str]) -> list[Fault]:
    if not identifiers:
        return []
    some = ", ".join(identifiers[:_SHOWN]) + (" …" if len(identifiers) > _SHOWN else "")
    return [Fault(f"{len(identifiers)} 张证照{zh}：{some}", f"{len(identifiers)} licence(s) {en}: {some}")]
