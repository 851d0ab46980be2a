"""The tax bureau's server: a REST API with the manners of a busy one.

OAuth2 client credentials at ``/oauth/token``; ``/api/taxpayers`` in numbered pages, ``/api/credit-ratings`` by cursor,
``/api/arrears`` by offset; all with ``updated_since`` and the total count. Too many requests in a second: 429 with
Retry-After. Every so many requests one 503. The second page of taxpayers is slow.

    python -m shuqiao.demo.tax --port 8101 --data .run/demo
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import itertools
import json
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote

import typer
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response

from shuqiao.demo.generator import SHANGHAI
from shuqiao.demo.serving import required, serve
from shuqiao.demo.tax_store import RESOURCES, Page, Resource, opened, page

CLIENT_ID = "SHUQIAO_DEMO_TAX_CLIENT_ID"
CLIENT_SECRET = "SHUQIAO_DEMO_TAX_CLIENT_SECRET"  # noqa: S105  (the name of a variable)
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Manners:
    """How the server treats its clients."""

    client_id: str
    client_secret: str = field(repr=False)
    token_seconds: int = 600
    rate: int = 20
    """Requests a second; the next ones get 429."""
    fail_every: int = 50
    """Each request of this number gets 503; 0: none."""
    slow_seconds: float = 1.0
    """How long the second page of taxpayers takes."""


def manners_from_environment() -> Manners:
    """What ``SHUQIAO_DEMO_TAX_*`` say."""
    return Manners(
        client_id=required(CLIENT_ID),
        client_secret=required(CLIENT_SECRET),
        rate=int(os.environ.get("SHUQIAO_DEMO_TAX_RATE", "20")),
        fail_every=int(os.environ.get("SHUQIAO_DEMO_TAX_FAIL_EVERY", "50")),
        slow_seconds=float(os.environ.get("SHUQIAO_DEMO_TAX_SLOW_SECONDS", "1")),
    )


class Gate:
    """Tokens, the rate, and the occasional failure: everything a request passes before it is answered."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self._tokens: dict[str, float] = {}
        self._second, self._in_second = 0, 0
        self._served = itertools.count(1)

    def issue(self, client_id: str, client_secret: str) -> str | None:
        """A new token, or None for a client that is not known."""
        known = hmac.compare_digest(client_id.encode(), self.manners.client_id.encode())
        if not (known & hmac.compare_digest(client_secret.encode(), self.manners.client_secret.encode())):
            return None
        now = time.monotonic()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = now + self.manners.token_seconds
        return token

    def admit(self, request: Request) -> None:
        """Raise the answer for a request that may not pass."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._tokens.get(token, 0.0) < time.monotonic():
            raise HTTPException(401, "token missing or expired", {"WWW-Authenticate": "Bearer"})
        second = int(time.monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        if self.manners.rate and self._in_second > self.manners.rate:
            raise HTTPException(429, "too many requests", {"Retry-After": "1"})
        if self.manners.fail_every and next(self._served) % self.manners.fail_every == 0:
            raise HTTPException(503, "maintenance, come back soon", {"Retry-After": "1"})


def create_app(data: Path, manners: Manners) -> FastAPI:
    """The tax bureau's application over the store below ``data``."""
    app = FastAPI(title="税务数据服务", openapi_url=None)
    gate = Gate(manners)

    @app.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/oauth/token")
    async def token(request: Request) -> dict[str, Any]:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
        if form.get("grant_type") != "client_credentials":
            raise HTTPException(400, {"error": "unsupported_grant_type"})
        issued = gate.issue(*_client(request, form))
        if issued is None:
            raise HTTPException(401, {"error": "invalid_client"}, {"WWW-Authenticate": "Basic"})
        return {"access_token": issued, "token_type": "Bearer", "expires_in": manners.token_seconds}

    def admitted(request: Request) -> None:
        gate.admit(request)

    for resource in RESOURCES:
        answer = {"taxpayers": _numbered_pages, "credit-ratings": _cursor, "arrears": _offset}[resource.path]
        app.get(f"/api/{resource.path}", dependencies=[Depends(admitted)])(answer(data, resource, manners))
    return app


Size = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]


def _numbered_pages(data: Path, resource: Resource, manners: Manners) -> Any:
    async def answer(
        page_number: Annotated[int, Query(alias="page", ge=1)] = 1, size: Size = 200, updated_since: str = ""
    ) -> Response:
        if page_number == 2:  # noqa: PLR2004
            await asyncio.sleep(manners.slow_seconds)
        found = await _read(data, resource, updated_since, size, offset=(page_number - 1) * size)
        return _json(found, {"page": page_number, "size": size})

    return answer


def _offset(data: Path, resource: Resource, _manners: Manners) -> Any:
    async def answer(offset: Annotated[int, Query(ge=0)] = 0, limit: Size = 200, updated_since: str = "") -> Response:
        return _json(await _read(data, resource, updated_since, limit, offset=offset), {"offset": offset})

    return answer


def _cursor(data: Path, resource: Resource, _manners: Manners) -> Any:
    async def answer(cursor: str = "", limit: Size = 200, updated_since: str = "") -> Response:
        found = await _read(data, resource, updated_since, limit, after=_place(cursor))
        full = len(found.bodies) == limit and found.last is not None
        following = base64.urlsafe_b64encode(json.dumps(found.last).encode()).decode() if full else None
        return _json(found, {"next_cursor": following})

    return answer


async def _read(data: Path, resource: Resource, updated_since: str, limit: int, **where: Any) -> Page:
    since = _local(updated_since)

    def work() -> Page:
        with opened(data) as connection:
            return page(connection, resource, since, limit, **where)

    try:
        return await asyncio.to_thread(work)
    except sqlite3.OperationalError as error:
        raise HTTPException(503, "the records are being renewed", {"Retry-After": "2"}) from error


def _json(found: Page, also: dict[str, Any]) -> Response:
    """``{"code": 0, "data": {"items": [...], "total": n, ...}}``; the rows are JSON already."""
    more = "".join(f',"{name}":{json.dumps(value)}' for name, value in also.items())
    body = f'{{"code":0,"message":"ok","data":{{"items":[{",".join(found.bodies)}],"total":{found.total}{more}}}}}'
    return Response(body, media_type="application/json")


def _local(text: str) -> str:
    """A moment in the notation of the store (local time with offset), so that texts compare as times do."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise HTTPException(400, "updated_since: expected a date and time as in ISO 8601") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return aware.astimezone(SHANGHAI).isoformat(timespec="milliseconds")


def _place(cursor: str) -> tuple[str, int]:
    if not cursor:
        return ("", 0)
    try:
        moment, number = json.loads(base64.urlsafe_b64decode(cursor))
        return str(moment), int(number)
    except (ValueError, TypeError, binascii.Error):
        raise HTTPException(400, "cursor: not one of ours") from None


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(given).decode().partition(":")
    except (ValueError, binascii.Error):
        return "", ""
    return unquote(name), unquote(secret)


def main(port: int = 8101, data: Path = Path(".run/demo")) -> None:
    """Serve the tax bureau's API on loopback."""
    serve(create_app(data, manners_from_environment()), port)


if __name__ == "__main__":
    typer.run(main)
