"""Corrections: a licence that was made from a wrong record, or ended by one, is superseded by a right one.

Withdrawn, cancelled and revoked are final: a record that says otherwise later is refused, not followed. When it was the
earlier record that was wrong, an operator says so here, with a reason that stays on record.
"""

from __future__ import annotations

from datetime import datetime

import psycopg

from registry.domain.licences import content as contents
from registry.domain.licences.licence import ContentRefused
from registry.domain.licences.loading import LicenceTypes
from registry.licences import authorities, following, standing, writing
from registry.licences.deciding import Issue, Judge
from registry.licences.desk import Desk
from registry.licences.errors import CorrectionRefused, LicenceUnknown
from registry.licences.keys import KeyRing
from registry.licences.standing import Origins, Standing
from registry.licences.writing import NewLicence, Source


def correct(
    connection: psycopg.Connection,
    identifier: str,
    reason: str,
    actor: str,
    *,
    types: LicenceTypes,
    keys: KeyRing,
    base: str,
    now: datetime,
) -> str:
    """Supersede a licence by a version made from its record as it is now; the new version's identifier.

    Raises LicenceUnknown, CorrectionRefused, KeyNotActive, NoActiveKey.
    """
    if not reason.strip():
        raise CorrectionRefused("reason_missing", "更正须写明理由", "a correction needs a reason")
    standing.read_json_quickly(connection)
    desk = Desk(types, keys, base, now)
    with connection.transaction():
        licence = _locked(connection, identifier)
        issue = _issue(connection, desk, licence, reason)
        origins = Origins(connection, issue.said.content.type.dataset)
        origins.know([issue.record.batch_id])
        record = issue.record
        source = Source(
            licence.dataset_id, record.key, record.version, record.batch_id, record.connector_id, record.row_id
        )
        new = NewLicence(
            issue.said.content, issue.said.plain, issue.said.digest, issue.said.issuer, issue.steps, source,
            origins.of(record.key, record.version, record.batch_id), actor, licence,
        )  # fmt: skip
        (number,) = writing.write(connection, desk, [new], [])
        writing.mend(connection, licence.type, licence.dataset_id, [record.key])
        row = connection.execute("SELECT identifier FROM registry.licence WHERE id = %s", (number,)).fetchone()
    assert row is not None  # noqa: S101  (written above)
    return str(row[0])


def _locked(connection: psycopg.Connection, identifier: str) -> Standing:
    """The licence, with its type locked against the issue service."""
    row = connection.execute(
        "SELECT type FROM registry.licence WHERE identifier = %s AND key IS NOT NULL", (identifier,)
    ).fetchone()
    if row is None:
        raise LicenceUnknown(identifier)
    following.lock(connection, row[0])
    found = standing.select(connection, "WHERE l.superseded_by IS NULL AND l.identifier = %s", (identifier,))
    if not found:
        raise CorrectionRefused(
            "superseded",
            f"证照 {identifier} 已被新版本取代",
            f"{identifier} has been superseded: correct the newest version",
        )
    return found[0]


def _issue(connection: psycopg.Connection, desk: Desk, licence: Standing, reason: str) -> Issue:
    licence_type = desk.types.latest(licence.type)
    record = standing.records(connection, licence.dataset_id, [licence.key]).get(licence.key)
    if record is None or not contents.applies(licence_type, record.body):
        raise CorrectionRefused(
            "no_record",
            "登记库中没有该证照的记录：请先由数据提供部门发布更正后的记录",
            "the registry has no record of this licence: its department has to publish the right one first",
        )
    judge = Judge(licence_type, desk.types, authorities.load(connection), desk.today)
    try:
        issue = judge.correct(record, licence, reason)
    except ContentRefused as refused:
        raise CorrectionRefused(
            refused.refusals[0].code,
            "；".join(each.zh for each in refused.refusals),
            "; ".join(each.en for each in refused.refusals),
        ) from refused
    if issue is None:
        raise CorrectionRefused(
            "nothing_to_correct",
            "证照与登记库现有记录一致，无需更正",
            "the licence agrees with its record as it is now: there is nothing to correct",
        )
    return issue
