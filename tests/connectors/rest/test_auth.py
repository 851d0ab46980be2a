from __future__ import annotations

import base64
import itertools
import logging
import time
from typing import Any

import pytest

from connectors.connection import Connection
from connectors.errors import SourceMisconfigured
from connectors.kinds.rest import RestSource

from .conftest import Asked, Reply, Server, as_json
from .test_reading import read, rows

SECRET = "s3cr3t-value"


def source_of(server: Server, auth: dict[str, Any]) -> RestSource:
    return RestSource(
        {"path": "/rows", "auth": auth, "attempts": 1}, server.connection(login="hub", password=SECRET), ["id"]
    )


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


WAYS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "none": ({"kind": "none"}, "Authorization", None),
    "basic": ({"kind": "basic"}, "Authorization", basic("hub", SECRET)),
    "bearer": ({"kind": "bearer"}, "Authorization", f"Bearer {SECRET}"),
    "a key in the usual header": ({"kind": "api_key"}, "X-API-Key", SECRET),
    "a key in a header of its own": ({"kind": "api_key", "header": "X-Gov-Key"}, "X-Gov-Key", SECRET),
}


@pytest.mark.parametrize(("auth", "header", "expected"), WAYS.values(), ids=WAYS)
def test_the_hub_says_who_it_is(server: Server, auth: dict[str, Any], header: str, expected: str | None) -> None:
    server.answer = lambda _: as_json([{"id": 1}])

    read(source_of(server, auth))

    assert server.asked[0].headers.get(header) == expected


def test_a_key_in_the_query_is_sent_and_never_shown(server: Server) -> None:
    server.answer = lambda _: as_json([{"id": 1}])
    (batch,) = read(source_of(server, {"kind": "api_key", "parameter": "appkey"}))
    server.answer = lambda _: Reply(status=403)

    with pytest.raises(SourceMisconfigured) as caught:
        read(source_of(server, {"kind": "api_key", "parameter": "appkey"}))

    assert server.asked[0].params["appkey"] == SECRET
    assert SECRET not in str(caught.value) + batch.where


class TokenServer:
    """Gives tokens that it takes back when asked to."""

    def __init__(self, server: Server, life: int = 3600) -> None:
        self.numbers = itertools.count(1)
        self.valid = ""
        self.life = life
        server.answer = self.answer

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            if asked.headers.get("Authorization") != basic("hub", SECRET):
                return Reply(b'{"error": "invalid_client"}', status=401)
            self.valid = f"token{next(self.numbers)}"
            return as_json({"access_token": self.valid, "expires_in": self.life})
        if asked.headers.get("Authorization") != f"Bearer {self.valid}":
            return Reply(status=401)
        return as_json([{"id": self.valid}])


AUTH = {"kind": "client_credentials", "token_path": "/token", "scope": "exchange"}


def test_a_token_is_fetched_once_and_kept(server: Server) -> None:
    TokenServer(server)
    source = source_of(server, AUTH)

    assert [rows(read(source)), rows(read(source))] == [[("token1",)], [("token1",)]]
    assert [asked.path for asked in server.asked] == ["/token", "/rows", "/rows"]
    assert server.asked[0].body == b"grant_type=client_credentials&scope=exchange"


def test_a_token_that_the_server_took_back_is_fetched_again_once(server: Server) -> None:
    tokens = TokenServer(server)
    source = source_of(server, AUTH)
    read(source)
    tokens.valid = "revoked"

    assert rows(read(source)) == [("token2",)]


def test_a_token_is_renewed_before_its_end(server: Server) -> None:
    TokenServer(server, life=1)
    source = source_of(server, AUTH)
    read(source)
    time.sleep(0.6)

    assert rows(read(source)) == [("token2",)]
    assert [asked.path for asked in server.asked] == ["/token", "/rows", "/token", "/rows"]


def test_wrong_client_credentials_are_named_without_the_secret(server: Server) -> None:
    TokenServer(server)
    source = RestSource(
        {"path": "/rows", "auth": AUTH, "attempts": 1}, server.connection(login="hub", password="wr0ng"), ["id"]
    )

    with pytest.raises(SourceMisconfigured, match=r"no token for the hub.*HTTP 401") as caught:
        read(source)

    assert "wr0ng" not in str(caught.value)


def test_no_secret_in_repr_or_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.answer = lambda _: as_json([{"id": 1}])
    source = source_of(server, {"kind": "bearer"})
    with caplog.at_level(logging.DEBUG):
        read(source)

    assert SECRET not in repr(source) + repr(source.__dict__.get("_connection")) + caplog.text


def test_a_missing_secret_is_named() -> None:
    source = RestSource({"path": "/", "auth": {"kind": "basic"}}, Connection(id="tax", host="127.0.0.1"), [])

    with pytest.raises(SourceMisconfigured, match="connection tax: auth basic needs a secret"):
        read(source)
