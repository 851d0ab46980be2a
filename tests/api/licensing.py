"""A town whose food business licences are e-licences, and an API over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from registry.credentials import data_integrity
from registry.domain.licences.loading import load_types
from registry.licences import issue, issuers, keys
from registry.licences.keys import KeyRing
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from tests.api.conftest import Api, Reader
from tests.registry.feeding import Feeder, Row

BASE = "https://hub.example.cn"
MASTER_KEY = MasterKey(b"m" * 32)
TYPES = load_types()
FOOD = TYPES.latest("food_business_licence")


def uscc(number: int, registrar: str = "91") -> str:
    """A valid code for each number."""
    first = f"{registrar}330203{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


BUREAU, BUREAU_CODE = "海曙区市场监督管理局", uscc(1, "11")


def food(number: int, **fields: Any) -> Row:
    """A food business licence as its department publishes it; fields of None are left out."""
    body = {
        "id": f"F{number:06d}",
        "licence_number": licence_number(number),
        "holder_name": f"宁波第{number}食品有限公司",
        "uscc": uscc(number),
        "legal_representative": "王某",
        "business_address": f"宁波市海曙区中山路{number}号",
        "operation_kind": "catering",
        "items": ["热食类食品制售"],
        "issued_on": "2024-03-01",
        "valid_from": "2024-03-01",
        "valid_to": "2099-12-31",
        "authority": BUREAU,
        "status": "01",
    } | fields
    return Row({name: value for name, value in body.items() if value is not None}, f"row-{number}")


def licence_number(number: int) -> str:
    return f"JY{13302030000000 + number:014d}"


@dataclass
class Town:
    """Feeds records, and lets the licences follow them."""

    url: str
    feeder: Feeder = field(init=False)

    def __post_init__(self) -> None:
        self.feeder = Feeder(self.url, "market.food", "food_business_licence")
        with connect(self.url) as connection:
            now = datetime.now(UTC) - timedelta(hours=1)
            issuers.enter(connection, BUREAU_CODE, BUREAU, "Bureau", base=BASE, master_key=MASTER_KEY, now=now)

    def publish(self, *rows: Row) -> None:
        self.feeder.feed(rows)
        with connect(self.url) as connection:
            ring = KeyRing.load(connection, MASTER_KEY)
            issue.follow(connection, TYPES, ring, base=BASE, now=datetime.now(UTC), wait=5.0)

    def identifiers(self, number: int) -> list[str]:
        """Of every version of the licence with a number, the first one first."""
        return [row[0] for row in self.rows(
            "SELECT identifier FROM registry.licence WHERE number = %s ORDER BY version", licence_number(number)
        )]  # fmt: skip

    def rotate(self, *, sm2: bool = False) -> None:
        with connect(self.url) as connection:
            keys.rotate(connection, BUREAU_CODE, master_key=MASTER_KEY, now=datetime.now(UTC), sm2=sm2)

    def lose_key(self) -> None:
        """The bureau's key is in other hands."""
        with connect(self.url) as connection:
            lost = KeyRing.load(connection, MASTER_KEY).signer(BUREAU_CODE).key_id
            keys.revoke(connection, lost, keys.Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=datetime.now(UTC))

    def sign(self, document: dict[str, Any]) -> dict[str, Any]:
        """With the bureau's own key, past everything that the hub would check."""
        with connect(self.url) as connection:
            signer = KeyRing.load(connection, MASTER_KEY).signer(BUREAU_CODE)
        issuer = signer.verification_method.partition("#")[0]
        return data_integrity.add_proof({**document, "issuer": issuer}, signer, datetime.now(UTC))

    def present(self, credentials: list[dict[str, Any]], *, challenge: str, domain: str) -> dict[str, Any]:
        """A presentation by the bureau, for it has a key that verifiers know."""
        with connect(self.url) as connection:
            signer = KeyRing.load(connection, MASTER_KEY).signer(BUREAU_CODE)
        document = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiablePresentation"],
            "holder": signer.verification_method.partition("#")[0],
            "verifiableCredential": credentials,
        }
        return data_integrity.add_proof(
            document, signer, datetime.now(UTC), purpose="authentication", challenge=challenge, domain=domain
        )

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return connection.execute(query.encode(), values or None).fetchall()


@dataclass
class Office:
    """The town with an API over it."""

    town: Town
    api: Api

    def identifier(self, number: int) -> str:
        """Of the current version."""
        return self.town.identifiers(number)[-1]

    def reader(self, *scopes: str) -> Reader:
        return self.api.client(*(scopes or ("licence:*",)))

    def post(self, path: str, reader: Reader | None = None, **sent: Any) -> requests.Response:
        headers = sent.pop("headers", {})
        if reader is not None:
            headers = {"Authorization": f"Bearer {reader.token}", **headers}
        return self.api.session.post(self.api.address + path, headers=headers, timeout=60, **sent)


def open_office(start: Callable[..., Api], url: str, **settings: Any) -> Office:
    """Start an API that signs, unless told otherwise."""
    return Office(Town(url), start(**{"public_url": BASE, "master_key": MASTER_KEY, **settings}))
