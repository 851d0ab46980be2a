"""Licences issued by the real services, with everything that a stranger needs to verify them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from registry.credentials import build, did
from registry.credentials.data_integrity import AUTHENTICATION, add_proof
from registry.licences import forms, trust
from registry.signing.p256 import P256Signer
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.conftest import _database
from tests.crosscheck import node
from tests.licences.issue.town import BASE, BUREAU_CODE, OTHER_BUREAU, OTHER_BUREAU_CODE, Town, food

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
HOLDER = "did:web:holder.example"
NEEDED = {"pdfsig": "poppler-utils", "openssl": "openssl"}


@dataclass
class Issued:
    """A town with a valid, a suspended and a revoked licence of one bureau, and one of another bureau."""

    town: Town
    documents: dict[str, Any] = field(init=False)
    status_lists: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        connection = self.town.connection
        self.documents = {
            document["id"]: document
            for code in (None, BUREAU_CODE, OTHER_BUREAU_CODE)
            if (document := trust.did_document(connection, code))
        }
        self.documents |= {
            address: orjson.loads(body) for address, body in build.published(self.town.types.all, BASE).items()
        }
        self.status_lists = {
            f"{BASE}/status/{group}/{purpose}": orjson.loads(document)
            for group, purpose, document in self.town.rows(
                "SELECT group_id, purpose, document FROM registry.status_list"
            )
        }

    def of(self, number: int) -> dict[str, Any]:
        return self.town.credential(self.town.current(number)["id"])

    @property
    def credential(self) -> dict[str, Any]:
        return self.of(1)

    @property
    def suspended(self) -> dict[str, Any]:
        return self.of(2)

    @property
    def revoked(self) -> dict[str, Any]:
        return self.of(3)

    @property
    def other_credential(self) -> dict[str, Any]:
        return self.of(4)

    @property
    def jwks(self) -> dict[str, Any]:
        return trust.jwks(self.town.connection)

    def form(self, number: int, name: Any) -> bytes:
        town, licence = self.town, self.town.current(number)
        return forms.form(town.connection, licence["id"], name, town.ring, town.types, base=BASE, now=NOW)

    def presentation(self, *, challenge: str, domain: str) -> dict[str, Any]:
        """By a holder with a key of its own."""
        signer = P256Signer(ec.generate_private_key(ec.SECP256R1()), f"{HOLDER}#key-1")
        method = did.document(HOLDER, [did.PublishedKey(signer.verification_method, signer.private_key.public_key())])
        self.documents[HOLDER] = method | {"authentication": [signer.verification_method]}
        unsigned = {
            "@context": [build.CONTEXT],
            "type": ["VerifiablePresentation"],
            "holder": HOLDER,
            "verifiableCredential": [self.credential],
        }
        return add_proof(unsigned, signer, NOW, purpose=AUTHENTICATION, challenge=challenge, domain=domain)

    def ask(self, *checks: dict[str, Any], lists: dict[str, Any] | None = None) -> Any:
        """What the tools from npm make of each."""
        documents = self.documents | (self.status_lists if lists is None else lists)
        return node.ask(checks, documents=documents, now=NOW.isoformat())


def need(reason: str) -> None:
    """Skip here, fail in CI, when a tool is missing."""
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture
def tool() -> Callable[[str], str]:
    """The path of a program from Debian."""

    def found(name: str) -> str:
        path = shutil.which(name)
        need("" if path else f"no {name} here (Debian package {NEEDED[name]})")
        return str(path)

    return found


@pytest.fixture(scope="module")
def issued(postgres: EmbeddedPostgres, registry_template: str) -> Iterator[Issued]:
    """Nobody changes it: one for all tests of a module."""
    need(node.missing())
    with contextmanager(_database)(postgres, registry_template) as url:
        town = Town(url)
        town.enter()
        town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
        person = {
            "uscc": None,
            "holder_code": "11010519491231002X",
            "holder_code_type": "111",
            "holder_name": "欧阳明月",
        }
        town.feed(food(1), food(2), food(3), food(4, authority=OTHER_BUREAU), food(5, **person))
        town.follow()
        town.feed(food(2, status="02"), food(3, status="07"))
        town.follow()
        yield Issued(town)
        town.connection.close()
