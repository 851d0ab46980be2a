"""What issuing needs at hand, and the locks under which it works.

Lock order, the same everywhere: the type's row, then the authorities' rows by code (in one statement), then their keys,
then the rest. Whoever holds an authority's row is alone with its status positions and lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import psycopg

from registry.domain.licences.loading import LicenceTypes
from registry.licences import keys as signing_keys
from registry.licences.keys import KeyNotActive, KeyRing, NoActiveKey

CHINA = ZoneInfo("Asia/Shanghai")
HUB = "shuqiao"
"""The actor of what the hub does by itself."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a licence is issued with."""

    types: LicenceTypes
    keys: KeyRing
    base: str
    """The public address in everything that is signed; no slash at its end."""
    now: datetime

    @property
    def today(self) -> date:
        """The day in China: licences hold for whole days there."""
        return self.now.astimezone(CHINA).date()


def lock_authorities(connection: psycopg.Connection, keys: KeyRing, codes: Iterable[str]) -> None:
    """Be alone with some authorities' status lists until the transaction ends, and sure that their keys stay in use.

    Raises KeyNotActive when a key has been made, rotated or revoked since ``keys`` was read, NoActiveKey where an
    authority has none.
    """
    wanted = sorted(set(codes))
    if not wanted:
        return
    connection.execute("SELECT FROM registry.issuer WHERE code = ANY(%s) ORDER BY code FOR NO KEY UPDATE", (wanted,))
    try:
        read = {keys.signer(code).key_id for code in wanted}
    except NoActiveKey as missing:
        active = connection.execute(
            "SELECT FROM registry.signing_key WHERE purpose = 'seal' AND state = 'active' AND issuer_code = ANY(%s)",
            (wanted,),
        ).rowcount
        if active == len(wanted):
            raise KeyNotActive(
                f"密钥已更新，请重新读取 keys have been made since they were read: {missing}"
            ) from missing
        raise
    signing_keys.hold(connection, read)
