"""Who the hub is at an HTTP source: five ways, none of which shows a secret."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import requests

from connectors.connection import Connection
from connectors.errors import SourceMisconfigured, SourceUnavailable
from connectors.kinds.rest_transport import Patience, Request, Transport, whole

EARLY: Final = 30.0
"""Seconds before its end at which a token is not used any more."""
DEFAULT_LIFE: Final = 300.0

AUTH_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["none", "basic", "bearer", "api_key", "client_credentials"]},
        "header": {"type": "string", "minLength": 1},
        "parameter": {"type": "string", "minLength": 1},
        "token_path": {"type": "string", "minLength": 1},
        "scope": {"type": "string"},
        "send": {"enum": ["basic", "body"]},
    },
    "allOf": [
        {
            "if": {"properties": {"kind": {"const": "client_credentials"}}},
            "then": {"required": ["token_path"]},
        },
        {"not": {"required": ["header", "parameter"]}},
    ],
}


class Authorisation:
    """Puts the credentials of a connection on requests."""

    def __init__(self, settings: Mapping[str, Any], connection: Connection, base: str, patience: Patience) -> None:
        self._kind: str = settings.get("kind", "none")
        self._settings, self._connection = settings, connection
        self._base, self._patience = base, patience
        self._token, self._good_until = "", 0.0
        if self._kind != "none" and not connection.password:
            raise SourceMisconfigured(
                f"connection {connection.id}: auth {self._kind} needs a secret, but the connection has no password"
            )

    @property
    def secret_parameters(self) -> frozenset[str]:
        """Names of query parameters that carry a secret."""
        name = self._settings.get("parameter")
        return frozenset({name} if name and self._kind == "api_key" else ())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Authorise one request, as requests' own auth objects do."""
        secret = self._connection.password
        if self._kind == "basic":
            request.headers["Authorization"] = _basic(self._connection.login, secret)
        elif self._kind == "bearer":
            request.headers["Authorization"] = f"Bearer {secret}"
        elif self._kind == "client_credentials":
            request.headers["Authorization"] = f"Bearer {self._current_token()}"
        elif self._kind == "api_key" and (parameter := self._settings.get("parameter")):
            request.prepare_url(request.url, {parameter: secret})
        elif self._kind == "api_key":
            request.headers[self._settings.get("header", "X-API-Key")] = secret
        return request

    def renew(self) -> bool:
        """Forget the token after a 401; whether trying again makes sense."""
        had, self._token = bool(self._token), ""
        return had

    def _current_token(self) -> str:
        if not self._token or time.monotonic() >= self._good_until:
            self._token, life = self._fetch()
            self._good_until = time.monotonic() + max(life - EARLY, life / 2)
        return self._token

    def _fetch(self) -> tuple[str, float]:
        data = {"grant_type": "client_credentials"}
        if scope := self._settings.get("scope"):
            data["scope"] = scope
        login, secret = self._connection.login, self._connection.password
        in_body = self._settings.get("send") == "body"
        if in_body:
            data |= {"client_id": login, "client_secret": secret}

        def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if not in_body:
                request.headers["Authorization"] = _basic(login, secret)
            return request

        transport = Transport(
            self._base, self._patience, authorise=authorise, verify=self._connection.extra.get("ca_file", True)
        )
        url = transport.address(self._settings["token_path"])
        where = transport.place(url)
        try:
            return transport.fetch(Request(url, method="POST", data=data), lambda answer: _token(whole(answer), where))
        except SourceMisconfigured as error:
            raise SourceMisconfigured(f"no token for the hub (auth client_credentials): {error}") from None
        except SourceUnavailable as error:
            raise SourceUnavailable(
                f"no token for the hub (auth client_credentials): {error}", retry_after=error.retry_after
            ) from None
        finally:
            transport.close()


def _token(body: bytes, where: str) -> tuple[str, float]:
    try:
        answer = json.loads(body)
        token, life = answer["access_token"], float(answer.get("expires_in") or DEFAULT_LIFE)
    except (ValueError, TypeError, KeyError):
        raise SourceMisconfigured(f"{where}: got no JSON object with access_token") from None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise SourceMisconfigured(f"{where}: access_token is no text that a header can carry")
    return token, life


def _basic(login: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{secret}".encode()).decode()
