"""Tokens: who gets which, and the file of their key. All routes against all who may not: tests/security."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from registry.api.access import security
from registry.api.app import create_app
from registry.api.clients import clients
from registry.api.clients.secret_hashes import secret_matches
from registry.api.settings import ApiSettings
from registry.api.tokens.token_keys import TokenKeyError, load
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc


def test_an_application_with_a_route_that_names_no_rule_does_not_start(settings: ApiSettings) -> None:
    app = create_app(settings)

    @app.get("/api/v1/forgotten")
    async def forgotten() -> dict[str, Any]:
        return {}

    with pytest.raises(RuntimeError, match="/api/v1/forgotten does not name one rule"):
        security.check_rules(app)


def test_a_grant_of_one_dataset_opens_no_other(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit")

    assert reader.get("/datasets/permit/records")["records"]
    for address in (
        "/datasets/legal_entity",
        "/datasets/legal_entity/records",
        f"/datasets/legal_entity/records/{uscc(1)}",
        f"/datasets/legal_entity/records/{uscc(1)}/history",
        "/datasets/nothing/records",
        "/datasets/permit%2F..%2Flegal_entity/records",
        "/datasets/LEGAL_ENTITY/records",
    ):
        assert reader.ask(f"/api/v1{address}").status_code == 403, address
    assert reader.ask("/api/v1/changes", dataset="legal_entity").status_code == 403
    assert {change["dataset"] for change in reader.get("/changes")["changes"]} == {"permit"}
    assert [found["dataset"] for found in reader.get(f"/entities/{uscc(1)}")["datasets"]] == ["permit"]
    for address in (
        "/api/v1//datasets/legal_entity/records",
        "/api/v1/datasets/permit/../legal_entity/records",
        "/api/v1/datasets/",
    ):
        answer = raw(api, reader, address)
        assert b" 404 " in answer.partition(b"\r\n")[0] + b" ", answer


def raw(api: Api, reader: Reader, target: str) -> bytes:
    """A request whose target no client library has tidied up."""
    with socket.create_connection(("127.0.0.1", api.server.bound_port)) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Authorization: Bearer {reader.token}\r\n\r\n".encode()
        )
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
    return found


@pytest.mark.parametrize("how", ["basic", "form"])
def test_a_client_gets_a_token_for_its_scopes(api: Api, registry_url: str, how: str) -> None:
    client = granting.enter(registry_url, "bank", ["read:b", "read:a"])
    sent: dict[str, Any] = {"client_id": client.id, "client_secret": client.secret}

    answer = api.token(auth=(client.id, client.secret)) if how == "basic" else api.token(**sent)

    found = answer.json()
    assert answer.status_code == 200
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("Bearer", 900, "read:a read:b")
    assert answer.headers["Cache-Control"] == "no-store"
    assert jwt.get_unverified_header(found["access_token"])["alg"] == "ES256"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "client-unknown"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "a\0b"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "read:a read:c"}, 400, "invalid_scope"),
        ({"scope": "operate"}, 400, "invalid_scope"),
        ({"scope": "read:*"}, 400, "invalid_scope"),
    ],
    ids=str,
)
def test_a_token_is_refused(api: Api, registry_url: str, form: dict[str, Any], status: int, error: str) -> None:
    client = granting.enter(registry_url, "bank", ["read:a"])

    answer = api.token(**{"client_id": client.id, "client_secret": client.secret, **form})

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["trace_id"] == answer.headers["X-Request-Id"]
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_a_token_may_be_asked_for_less(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    enterprises(registry_url).publish([enterprise(1)])
    client = granting.enter(registry_url, "bank", ["read:permit", "read:legal_entity"])
    token = api.token(auth=(client.id, client.secret), scope="read:permit").json()["access_token"]
    reader = Reader(api.address, api.session, client, token)

    assert reader.ask("/api/v1/datasets/permit/records").status_code == 200
    assert reader.ask("/api/v1/datasets/legal_entity/records").status_code == 403


def test_a_request_for_a_token_that_is_no_form_is_refused(api: Api) -> None:
    address = f"{api.address}/api/v1/token"

    assert (
        api.session.post(address, json={"grant_type": "client_credentials"}, timeout=5).json()["error"]
        == "invalid_request"
    )
    assert api.session.post(address, data="grant_type=a&grant_type=b", timeout=5).status_code == 400
    too_long = api.session.post(address, data={"grant_type": "x" * 20_000}, timeout=5)
    assert (too_long.status_code, too_long.json()["type"]) == (413, "/problems/request-too-long")


def test_a_revoked_clients_tokens_stop_within_moments(start: Any, registry_url: str) -> None:
    api = start(client_check_seconds=0.5)
    reader = api.client("operate")
    assert reader.ask("/api/v1/batches").status_code == 200

    clients.revoke(registry_url, reader.client.id)
    time.sleep(0.6)

    assert reader.ask("/api/v1/batches").status_code == 401
    assert api.token(auth=(reader.client.id, reader.client.secret)).status_code == 401


def test_secrets_are_kept_as_hashes_only(registry_url: str) -> None:
    client = clients.add(registry_url, " A bank ", ["licence:*", "operate", "operate"])

    with connect(registry_url) as connection:
        rows = connection.execute(
            "SELECT client::text, content FROM registry.client JOIN registry.client_credential ON client_id = client.id"
        ).fetchall()
    assert len(rows) == 1
    assert client.secret not in rows[0][0]
    assert rows[0][1].startswith("scrypt$16384$8$1$")
    assert secret_matches(client.secret, rows[0][1])
    assert [(c.id, c.name, c.scopes) for c in clients.all_clients(registry_url)] == [
        (client.id, "A bank", ("licence:*", "operate"))
    ]


@pytest.mark.parametrize(
    "scopes",
    [
        ["write:*"],
        ["read:"],
        ["read:*"],
        ["read:legal_entity"],
        ["Operate"],
        ["licence:"],
        ["licence:A"],
        ["issue:*"],
        ["issue:33"],
        ["credit:*"],
        ["credit:decide:"],
        ["credit:decide:*"],
        ["credit:decide"],
        ["grants:decide:*"],
    ],
    ids=str,
)
def test_a_client_with_a_scope_that_there_is_not_is_not_entered(registry_url: str, scopes: list[str]) -> None:
    with pytest.raises(clients.ClientError):
        clients.add(registry_url, "bank", scopes)

    assert clients.all_clients(registry_url) == []


def test_clients_are_listed_and_revoked(registry_url: str) -> None:
    client = clients.add(registry_url, "bank", [])

    revoked = clients.revoke(registry_url, client.id)
    assert revoked.revoked_at is not None
    assert clients.revoke(registry_url, client.id) == revoked
    with pytest.raises(clients.ClientError, match="no client 'nobody'"):
        clients.revoke(registry_url, "nobody")


def test_the_token_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "token.pem"
    (first,) = load(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [key.key_id for key in load(path)] == [first.key_id]
    assert [file.name for file in path.parent.iterdir()] == ["token.pem"]


def test_a_token_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token.pem"
    load(path)
    path.chmod(0o644)
    with pytest.raises(TokenKeyError, match="chmod 600"):
        load(path)
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(TokenKeyError, match="no private key"):
        load(path)
