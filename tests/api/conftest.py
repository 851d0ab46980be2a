"""A real server on a thread, real tokens, a real database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi import FastAPI

from registry.api.clients.clients import NewClient
from registry.api.server import ApiServer
from registry.api.settings import ApiSettings
from tests import granting
from tests.api import declared


@dataclass
class Reader:
    """A client of the API with a token."""

    address: str
    session: requests.Session
    client: NewClient | None = None
    token: str | None = None

    def ask(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **parameters: Any
    ) -> requests.Response:
        """The answer to a request; ``path`` begins at the root."""
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        return self.session.request(method, self.address + path, params=parameters, headers=sent, timeout=60)

    def changes(self, **parameters: Any) -> requests.Response:
        """The feed as a stream of lines, by a connection of its own: to be closed."""
        return requests.get(
            f"{self.address}/api/v1/changes",
            params=parameters,
            headers={"Authorization": f"Bearer {self.token}", "Accept": "application/x-ndjson"},
            stream=True,
            timeout=30,
        )

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The JSON of an answer that must be good; ``path`` begins after ``/api/v1``."""
        answer = self.ask(f"/api/v1{path}", **parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def pages(self, path: str, member: str, **parameters: Any) -> list[Any]:
        """Every item of a paged answer."""
        found: list[Any] = []
        while True:
            page = self.get(path, **parameters)
            found += page[member]
            if page["next"] is None:
                return found
            parameters["after"] = page["next"]


@dataclass
class Api:
    """A running API."""

    address: str
    settings: ApiSettings
    session: requests.Session
    server: ApiServer

    def client(self, *scopes: str) -> Reader:
        """A new client, with a token for all its scopes; ``read:<dataset>`` is a grant: :mod:`tests.granting`."""
        client = granting.enter(self.settings.database_url, "test", scopes)
        return self.signed_in(client)

    def signed_in(self, client: NewClient) -> Reader:
        answer = self.token(auth=(client.id, client.secret))
        assert answer.status_code == 200, answer.text
        return Reader(self.address, self.session, client, answer.json()["access_token"])

    def token(self, *, auth: tuple[str, str] | None = None, **form: Any) -> requests.Response:
        form = {"grant_type": "client_credentials", **form}
        return self.session.post(f"{self.address}/api/v1/token", data=form, auth=auth, timeout=30)

    @property
    def anyone(self) -> Reader:
        return Reader(self.address, self.session)


@contextmanager
def serving(settings: ApiSettings) -> Iterator[ApiServer]:
    server = ApiServer(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield server
    finally:
        server.end()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def settings(registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiSettings:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
    return ApiSettings(
        database_url=registry_url,
        token_key=tmp_path / "token_key.pem",
        port=0,
        client_check_seconds=0,
        catalogue_seconds=0,
        feed_poll_seconds=0.05,
    )


@pytest.fixture
def start(settings: ApiSettings) -> Iterator[Callable[..., Api]]:
    """Start an API with other settings."""
    with ExitStack() as stack:

        def started(**changes: Any) -> Api:
            changed = replace(settings, **changes)
            server = stack.enter_context(serving(changed))
            session = stack.enter_context(requests.Session())
            session.trust_env = False
            app = server.config.app
            assert isinstance(app, FastAPI)
            declared.check(session, app)
            return Api(f"http://127.0.0.1:{server.bound_port}", changed, session, server)

        yield started


@pytest.fixture
def api(start: Callable[..., Api]) -> Api:
    return start()
