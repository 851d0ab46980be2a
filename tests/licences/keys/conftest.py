"""A registry with the keys of two authorities."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest

from registry.domain.licences.licence import Issuer
from registry.licences import issuers
from registry.licences.issuers import Wanted
from registry.signing.master_key import MasterKey
from registry.storage.database import connect

BASE = "https://hub.example.gov.cn"
MASTER_KEY_BYTES = bytes(range(100, 132))
MASTER_KEY = MasterKey(MASTER_KEY_BYTES)
MASTER_KEY_TEXT = base64.b64encode(MASTER_KEY_BYTES).decode()
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MARKET = Wanted(
    "11330200QE27RUC576", "桥州市市场监督管理局", "Qiaozhou Administration for Market Regulation", ("市监局",)
)
HEALTH = Wanted("11330200Q58Q7NNQ6E", "桥州市卫生健康委员会", "Qiaozhou Health Commission")


@dataclass(frozen=True)
class Hall:
    """The registry, and how its authorities are entered."""

    url: str
    connection: psycopg.Connection

    def enter(self, *wanted: Wanted, sm2: bool = False, now: datetime = NOW) -> tuple[Issuer, ...]:
        return issuers.enter_all(self.connection, wanted, base=BASE, master_key=MASTER_KEY, now=now, sm2=sm2)

    def made(self) -> list[tuple[str, str | None, str]]:
        """Purpose, authority and state of every key, in the order they were made."""
        statement = (
            "SELECT purpose, issuer_code, state FROM registry.signing_key ORDER BY created_at, purpose, issuer_code"
        )
        return self.connection.execute(statement).fetchall()


@pytest.fixture
def empty(registry_url: str) -> Iterator[Hall]:
    with connect(registry_url) as connection:
        yield Hall(registry_url, connection)


@pytest.fixture
def hall(empty: Hall) -> Hall:
    empty.enter(MARKET, HEALTH)
    return empty
