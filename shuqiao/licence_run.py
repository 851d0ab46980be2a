"""Let every e-licence follow its record, once: what the DAG does, and ``shuqiao licence issue`` beside Airflow."""

from __future__ import annotations

from datetime import datetime

from registry.licences import issue, keys, status
from registry.licences.issue import IssueReport
from registry.licences.keys import KeyNotActive, KeyRing
from registry.storage.database import connect
from shuqiao import master_key, settings
from shuqiao.licence_types import licence_types
from shuqiao.registry_address import database_url

WAIT_SECONDS = 45.0
"""So long a transaction that is older than the changes to follow is waited for: a licence follows within a minute."""


def run(now: datetime) -> IssueReport:
    """Follow the registry's changes, enter what has ended, and sign status lists anew before they end.

    Raises LicenceTypeError, MasterKeyError, SettingsError, KeysError (no key for what must be signed).
    """
    types, opened = licence_types(), master_key.load()
    base = settings.public_url(settings.read())
    with connect(database_url(), application="shuqiao licences") as connection:
        try:
            report = issue.follow(
                connection, types, KeyRing.load(connection, opened), base=base, now=now, wait=WAIT_SECONDS
            )
        except KeyNotActive:  # a key was rotated meanwhile: what was done is done, the rest is signed with the new one
            report = issue.follow(
                connection, types, KeyRing.load(connection, opened), base=base, now=now, wait=WAIT_SECONDS
            )
        status.refresh(connection, KeyRing.load(connection, opened), base=base, now=now)
    return report


def warnings(now: datetime) -> list[str]:
    """Keys whose certificates end within half a year: a sentence each, with the remedy."""
    with connect(database_url(), application="shuqiao licences") as connection:
        expiring = keys.expiring(connection, now=now)
    return [
        f"密钥 {each.key.id}（{each.key.issuer_code or each.key.purpose}）还有 {each.days_left} 天到期："
        f"运行 shuqiao keys rotate / key ends in {each.days_left} days: run `shuqiao keys rotate`"
        for each in expiring
    ]
