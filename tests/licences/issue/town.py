"""A town whose food licences become e-licences: an intake to feed, authorities with keys, and the issue service."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest

from registry.credentials import build, status_list, trust_list
from registry.credentials.verify import FetchedList, KeptLists, Verdict, verify
from registry.domain.licences.loading import LicenceTypes, load_types
from registry.licences import issue, issuers, keys, status, trust
from registry.licences.copies import REVOKED_BITS
from registry.licences.issue import IssueReport
from registry.licences.keys import KeyRing
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from tests.registry.feeding import Feeder, Row

BASE = "http://127.0.0.1:8090"
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
MASTER_KEY = MasterKey(b"m" * 32)
BUREAU, OTHER_BUREAU = "海曙区市场监督管理局", "鄞州区市场监督管理局"
TYPES = load_types()


def uscc(number: int, registrar: str = "91", division: str = "330203") -> str:
    first = f"{registrar}{division}{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


BUREAU_CODE, OTHER_BUREAU_CODE = uscc(1, "11"), uscc(2, "11", "330212")


def food(number: int, *, row: str | None = None, **fields: Any) -> Row:
    """A food business licence as its department publishes it; fields of None are left out."""
    body = {
        "id": f"F{number:06d}",
        "licence_number": f"JY{13302030000000 + number:014d}",
        "holder_name": f"宁波第{number}食品有限公司",
        "uscc": uscc(number),
        "legal_representative": "王某",
        "business_address": f"宁波市海曙区中山路{number}号",
        "operation_kind": "catering",
        "items": ["热食类食品制售", "冷食类食品制售"],
        "issued_on": "2024-03-01",
        "valid_from": "2024-03-01",
        "valid_to": "2029-02-28",
        "authority": BUREAU,
        "status": "01",
    } | fields
    return Row({name: value for name, value in body.items() if value is not None}, row or f"row-{number}")


def permit(number: int, name: str) -> Row:
    """A licence as the double publication 双公示 has it."""
    body = {
        "id": f"P{number}",
        "holder_name": f"宁波第{number}有限公司",
        "uscc": uscc(number),
        "licence_name": name,
        "licence_number": f"D{13302030 + number:010d}",
        "decision_number": f"甬许〔2026〕{number}号",
        "content": "准予许可",
        "decided_on": "2026-01-05",
        "valid_from": "2026-01-05",
        "valid_to": "2031-01-04",
        "authority": BUREAU,
        "status": "valid",
    }
    return Row(body, f"permit-{number}")


def entity(number: int) -> Row:
    """A market entity."""
    body = {
        "id": f"E{number}",
        "uscc": uscc(number),
        "name": f"宁波第{number}有限公司",
        "entity_type": "enterprise",
        "established_on": "2020-05-06",
        "registered_capital": {"amount": "1000.5", "unit": "万元", "currency": "CNY"},
        "registration_authority": BUREAU,
        "status": "active",
    }
    return Row(body, f"entity-{number}")


@dataclass
class Town:
    """One registry with its issue service."""

    url: str
    now: datetime = NOW
    types: LicenceTypes = TYPES
    base: str = BASE
    feeder: Feeder = field(init=False)
    connection: psycopg.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.feeder = Feeder(self.url, "market.food", "food_business_licence")
        self.connection = connect(self.url)

    def enter(self, name: str = BUREAU, code: str = BUREAU_CODE) -> None:
        issuers.enter(self.connection, code, name, "Bureau", base=self.base, master_key=MASTER_KEY, now=self.now)

    @property
    def ring(self) -> KeyRing:
        return KeyRing.load(self.connection, MASTER_KEY)

    def feed(self, *rows: Row) -> None:
        self.feeder.feed(rows)

    def follow(self, **options: Any) -> IssueReport:
        return issue.follow(self.connection, self.types, self.ring, base=self.base, now=self.now, **options)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    @contextmanager
    def feeder_at_work(self) -> Iterator[None]:
        """Somebody's transaction is open meanwhile."""
        with connect(self.url) as other, other.transaction():
            other.execute("SELECT pg_current_xact_id()")
            yield

    @contextmanager
    def long_transaction(self, seconds: float) -> Iterator[None]:
        """Somebody's transaction is open for so long."""
        begun = threading.Event()

        def stand() -> None:
            with self.feeder_at_work():
                begun.set()
                time.sleep(seconds)

        thread = threading.Thread(target=stand)
        thread.start()
        begun.wait()
        yield
        thread.join()

    @contextmanager
    def steps_of(self, keys: int) -> Iterator[None]:
        """One transaction looks at so many keys only."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(issue, "STEP", keys)
            yield

    def end_key(self, code: str) -> None:
        """The authority signs no more."""
        ((key_id,),) = self.rows(
            "SELECT id FROM registry.signing_key WHERE issuer_code = %s AND state = 'active'", code
        )
        keys.revoke(self.connection, key_id, keys.Reason.CESSATION, master_key=MASTER_KEY, now=self.now)

    def new_key(self, code: str) -> None:
        """The authority signs with a new key from now on."""
        keys.rotate(self.connection, code, master_key=MASTER_KEY, now=self.now)

    def clear(self) -> None:
        """As at the beginning, but with the authorities and their keys."""
        self.now = NOW
        tables = (
            "licence_type", "licence", "licence_event", "licence_form", "licence_refusal", "licence_copy",
            "licence_use", "issued_credential", "status_list", "status_group", "record", "record_history", "change",
            "batch", "batch_part", "refusal", "connector",
        )  # fmt: skip
        self.connection.execute(f"TRUNCATE {', '.join(f'registry.{name}' for name in tables)} CASCADE".encode())

    def client(self, name: str) -> None:
        """A system that may ask for something."""
        self.connection.execute("INSERT INTO registry.client (id, name, scopes) VALUES (%s, %s, '{}')", (name, name))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values or None).fetchall()

    def licences(self, number: int) -> list[dict[str, Any]]:
        """Every version of the licence that bears a number, the first one first."""
        names = ("id", "identifier", "version", "state", "state_text", "supersedes", "superseded_by", "key", "content",
                 "type_version", "issuer_code", "key_id")  # fmt: skip
        rows = self.rows(
            f"SELECT {', '.join(names)} FROM registry.licence WHERE number = %s ORDER BY version",
            f"JY{13302030000000 + number:014d}",
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def current(self, number: int) -> dict[str, Any]:
        return self.licences(number)[-1]

    def events(self, licence_id: int) -> list[tuple[str, str | None, str]]:
        """(operation, from, to) in their order."""
        return self.rows(
            "SELECT operation, from_state, to_state FROM registry.licence_event WHERE licence_id = %s ORDER BY number",
            licence_id,
        )

    def refusals(self) -> dict[str, list[str]]:
        """Key to the codes of its reasons."""
        rows = self.rows("SELECT key, reasons FROM registry.licence_refusal ORDER BY key")
        return {key: [reason["code"] for reason in reasons] for key, reasons in rows}

    def credential(self, licence_id: int) -> dict[str, Any]:
        ((body,),) = self.rows(
            "SELECT body FROM registry.licence_form WHERE licence_id = %s AND form = 'vc'", licence_id
        )
        document: dict[str, Any] = orjson.loads(body)
        return document

    def says(self, licence_id: int) -> dict[str, int]:
        """What the lists, as they are served, say of a licence."""
        return dict(read_entries(self.connection, self.credential(licence_id)))

    def verdict(self, licence_id: int) -> Verdict:
        """What an offline verifier says, with the trust list and the lists as they are published."""
        ring = self.ring
        trusted = trust.trust_list_document(
            self.connection, ring, base=BASE, resources=build.published(self.types.all, BASE), now=self.now
        )
        lists = {
            f"{BASE}/status/{group}/{purpose}": FetchedList(document, self.now)
            for group, purpose, document in self.rows("SELECT group_id, purpose, document FROM registry.status_list")
        }
        ((body,),) = self.rows(
            "SELECT body FROM registry.licence_form WHERE licence_id = %s AND form = 'vc'", licence_id
        )
        loaded = trust_list.load(trusted, root=ring.root_certificate, at=self.now)
        return verify(body, loaded, KeptLists(lists), self.now)

    def disagreements(self) -> list[str]:
        """What is wrong in this registry, whatever was done to it: empty, or the rules are broken."""
        return disagreements(self.connection)


def read_entries(connection: psycopg.Connection, credential: dict[str, Any]) -> list[tuple[str, int]]:
    """Each purpose and value, from the signed lists."""
    found = []
    for entry in credential["credentialStatus"]:
        group = entry["statusListCredential"].split("/")[-2]
        row = connection.execute(
            "SELECT document FROM registry.status_list WHERE group_id = %s AND purpose = %s",
            (int(group), entry["statusPurpose"]),
        ).fetchone()
        assert row is not None
        bits = status_list.decode(orjson.loads(row[0])["credentialSubject"]["encodedList"])
        value = status_list.get(bits, int(entry["statusListIndex"]), entry.get("statusSize", 1))
        found.append((entry["statusPurpose"], value))
    return found


def disagreements(connection: psycopg.Connection) -> list[str]:
    """Every rule that must hold at any moment: each licence once, with its form, its events and its bits."""
    wrong = [f"{rule}: {row}" for rule, query in RULES.items() for row in connection.execute(query.encode())]
    expected: dict[tuple[int, status_list.Purpose], bytearray] = {}
    for group, purpose, size, bits, document, ends in connection.execute(
        "SELECT group_id, purpose, status_size, bits, document, valid_until FROM registry.status_list"
    ):
        served = orjson.loads(document)
        if status_list.decode(served["credentialSubject"]["encodedList"]) != bits:
            wrong.append(f"list {group}/{purpose} is not the one that is signed")
        if served["validUntil"] != ends.strftime("%Y-%m-%dT%H:%M:%SZ"):
            wrong.append(f"list {group}/{purpose} ends otherwise than its credential")
        expected[group, purpose] = bytearray(status.POSITIONS * size // 8)
    for group, index, state, since, valid_to, superseded, revoked in connection.execute(
        "SELECT status_group_id, status_index, state, state_since, valid_to, superseded_by IS NOT NULL, false"
        " FROM registry.licence UNION ALL"
        " SELECT c.status_group_id, c.status_index, l.state, l.state_since, l.valid_to, l.superseded_by IS NOT NULL,"
        " c.revoked_at IS NOT NULL FROM registry.licence_copy c JOIN registry.licence l ON l.id = c.licence_id"
    ):
        says = status.SUPERSEDED_BITS if superseded else status.bits_of(state, since, valid_to)
        says = REVOKED_BITS if revoked else says
        for purpose, size in status_list.SIZES.items():
            status_list.set_value(expected[group, purpose], index, size, says.of(purpose))
    clients = connection.execute("SELECT status_group_id, status_index FROM registry.issued_credential").fetchall()
    for (group, purpose), bits in expected.items():
        ((stored,),) = connection.execute(
            "SELECT bits FROM registry.status_list WHERE group_id = %s AND purpose = %s", (group, purpose)
        ).fetchall()
        for _, index in (each for each in clients if each[0] == group):  # as whoever asked for them said
            size = status_list.SIZES[purpose]
            status_list.set_value(bits, index, size, status_list.get(stored, index, size))
        if stored != bytes(bits):
            wrong.append(f"list {group}/{purpose} does not say what the licences' states are")
    return wrong


RULES = {
    "a record with two current licences": """
        SELECT type, key, count(*) FROM registry.licence WHERE superseded_by IS NULL GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "one version of one licence twice": """
        SELECT serial, version, count(*) FROM registry.licence GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "a position given out twice": """
        SELECT status_group_id, status_index, count(*) FROM (
            SELECT status_group_id, status_index FROM registry.licence UNION ALL
            SELECT status_group_id, status_index FROM registry.licence_copy UNION ALL
            SELECT status_group_id, status_index FROM registry.issued_credential) p GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "a group with more positions in use than it has given out": """
        SELECT g.id, g.used FROM registry.status_group g WHERE g.used < (
            SELECT count(*) FROM registry.licence l WHERE l.status_group_id = g.id) + (
            SELECT count(*) FROM registry.licence_copy c WHERE c.status_group_id = g.id) + (
            SELECT count(*) FROM registry.issued_credential i WHERE i.status_group_id = g.id)
    """,
    "a licence without its signed form": """
        SELECT l.identifier FROM registry.licence l LEFT JOIN registry.licence_form f ON f.licence_id = l.id
            AND f.form = 'vc' WHERE f.body IS NULL
    """,
    "a form that is not signed, or half of one": """
        SELECT licence_id FROM registry.licence_form WHERE form = 'vc' AND (
            convert_from(body, 'utf-8')::jsonb #>> '{proof,proofValue}' IS NULL)
    """,
    "a licence whose form names another": """
        SELECT l.identifier FROM registry.licence l JOIN registry.licence_form f ON f.licence_id = l.id
        WHERE f.form = 'vc' AND (
            convert_from(f.body, 'utf-8')::jsonb #>> '{credentialSubject,identifier}' <> l.identifier
            OR convert_from(f.body, 'utf-8')::jsonb #>> '{credentialStatus,0,statusListIndex}' <> l.status_index::text)
    """,
    "a licence without events, or whose last event leads elsewhere": """
        SELECT l.identifier, l.state, e.to_state FROM registry.licence l LEFT JOIN LATERAL (
            SELECT to_state FROM registry.licence_event e WHERE e.licence_id = l.id ORDER BY number DESC LIMIT 1
        ) e ON true WHERE e.to_state IS DISTINCT FROM l.state
    """,
    "events that do not follow one another": """
        SELECT licence_id, number FROM (SELECT licence_id, number, from_state,
            lag(to_state) OVER w AS before, row_number() OVER w AS place
            FROM registry.licence_event WINDOW w AS (PARTITION BY licence_id ORDER BY number)) e
        WHERE place <> number OR (place > 1 AND from_state IS DISTINCT FROM before)
    """,
    "versions that are not linked both ways": """
        SELECT l.identifier FROM registry.licence l LEFT JOIN registry.licence p ON p.id = l.supersedes
        WHERE (l.version > 1 AND (p.superseded_by IS DISTINCT FROM l.id OR p.version <> l.version - 1
            OR p.serial <> l.serial OR p.superseded_at IS NULL)) OR (l.version = 1 AND l.supersedes IS NOT NULL)
    """,
    "a licence that is superseded by none of its versions": """
        SELECT l.identifier FROM registry.licence l JOIN registry.licence n ON n.id = l.superseded_by
        WHERE n.supersedes IS DISTINCT FROM l.id
    """,
}
