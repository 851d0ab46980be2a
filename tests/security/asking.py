"""Requests to the application in this process, whose target nobody tidies up on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import FastAPI

AT_ONCE = 12


@dataclass(frozen=True)
class Asked:
    """One request; ``target`` as it stands on the wire."""

    method: str
    target: str
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    begun_only: bool = False
    """Go away after the first part of the answer: a stream goes on."""
    what: str = ""
    """Why it is asked, for whoever reads a failure."""


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def document(self) -> Any:
        """The JSON of the body; None where there is none."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return None

    @property
    def problem(self) -> str:
        """The problem's name; empty where it is none."""
        document = self.document
        kind = document.get("type", "") if isinstance(document, dict) else ""
        return str(kind).removeprefix("/problems/")


class Asker:
    """Asks in one event loop, in which the application has started."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        self._lifespan = app.router.lifespan_context(app)
        self._runner.run(self._lifespan.__aenter__())

    def close(self) -> None:
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()

    def ask(self, asked: Asked) -> Answered:
        return self.all([asked])[0]

    def all(self, several: Iterable[Asked]) -> list[Answered]:
        """Every answer, in the order of the requests; some are under way at once."""

        async def together() -> list[Answered]:
            places = asyncio.Semaphore(AT_ONCE)

            async def one(asked: Asked) -> Answered:
                async with places:
                    return await self._one(asked)

            return await asyncio.gather(*(one(asked) for asked in several))

        return self._runner.run(together())

    async def _one(self, asked: Asked) -> Answered:
        content = b"" if asked.body is None else orjson.dumps(asked.body)
        headers = {"host": "hub", "content-length": str(len(content)), **asked.headers}
        if asked.body is not None:
            headers.setdefault("content-type", "application/json")
        if asked.token is not None:
            headers.setdefault("authorization", f"Bearer {asked.token}")
        path, _, query = asked.target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("192.0.2.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        sent = [{"type": "http.request", "body": content, "more_body": False}]
        found: dict[str, Any] = {"status": 0, "headers": [], "content": b""}
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                found["status"], found["headers"] = message["status"], message["headers"]
            else:
                found["content"] += message.get("body", b"")
                if asked.begun_only and message.get("body"):
                    gone.set()

        await self.app(scope, receive, send)
        gone.set()
        return Answered(
            found["status"], {name.decode(): value.decode() for name, value in found["headers"]}, found["content"]
        )
