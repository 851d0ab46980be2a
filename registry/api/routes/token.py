"""POST /token: OAuth 2.0 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Request, Response

from registry.api import models
from registry.api.access import clients
from registry.api.access.security import Public
from registry.api.problems import INVALID_CLIENT, INVALID_REQUEST, INVALID_SCOPE, Problem, ProblemType, parameter_error
from registry.api.representations import answer
from registry.api.state import state_of
from registry.storage.reads import clients as stored
from registry.storage.reads.clients import Client

router = APIRouter(tags=["token"])

_FORM = "application/x-www-form-urlencoded"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                        "scope": {
                            "type": "string",
                            "description": "Separated by spaces; left out: all that are granted",
                        },
                    },
                },
                "example": {"grant_type": "client_credentials", "scope": "read:legal_entity"},
            }
        },
    }
}


@router.post("/token", response_model=models.Token, openapi_extra=_BODY, dependencies=[Public])
async def issue(request: Request) -> Response:
    """Give a client that proves who it is a token for some minutes. 客户端凭证换取访问令牌."""
    form = await _form(request)
    if form.get("grant_type") != "client_credentials":
        raise _problem(
            INVALID_REQUEST,
            "unsupported_grant_type" if "grant_type" in form else "invalid_request",
            "grant_type 应为 client_credentials。",
            "The grant_type is to be client_credentials.",
            errors=[
                parameter_error("grant_type", "应为 client_credentials。", "Expected client_credentials.", where="body")
            ],
        )
    client_id, secret = _credentials(request, form)
    client = await _proven(request, client_id, secret)
    scopes = set(form["scope"].split()) if form.get("scope") else set(client.scopes)
    if missing := sorted(scopes - client.scopes):
        names = ", ".join(missing)[:500]
        raise _problem(
            INVALID_SCOPE, "invalid_scope", f"该客户端未获授权：{names}。", f"Not granted to this client: {names}."
        )
    tokens = state_of(request).tokens
    content = {
        "access_token": tokens.issue(client.id, scopes),
        "token_type": "Bearer",
        "expires_in": tokens.seconds,
        "scope": " ".join(sorted(scopes)),
    }
    return answer(content, headers={"Pragma": "no-cache"})


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _problem(INVALID_REQUEST, "invalid_request", f"请求体应为 {_FORM}。", f"The body is to be {_FORM}.")
    try:
        found = parse_qs(
            (await request.body()).decode(), keep_blank_values=True, strict_parsing=False, max_num_fields=20
        )
    except ValueError as error:
        raise _problem(INVALID_REQUEST, "invalid_request", "表单无法解析。", "The form cannot be read.") from error
    if any(len(values) > 1 for values in found.values()):
        raise _problem(INVALID_REQUEST, "invalid_request", "有参数重复。", "A parameter is given more than once.")
    return {name: values[0] for name, values in found.items()}


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise _unproven() from error
        return unquote_plus(client_id), unquote_plus(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


async def _proven(request: Request, client_id: str, secret: str) -> Client:
    """The client. Raises Problem, and takes as long over an unknown client as over a wrong secret."""
    state = state_of(request)
    if not client_id or not secret or "\0" in client_id:
        raise _unproven()
    client = await stored.one(state.pool, client_id)
    secret_hash = _nobody() if client is None else client.secret_hash
    async with state.hashing:
        matches = await asyncio.to_thread(clients.secret_matches, secret, secret_hash)
    if client is None or client.revoked or not matches:
        raise _unproven()
    request.state.client_id = client.id
    return client


@lru_cache(maxsize=1)
def _nobody() -> str:
    return clients.hash_secret("nobody's")


def _unproven() -> Problem:
    return _problem(
        INVALID_CLIENT,
        "invalid_client",
        INVALID_CLIENT.zh,
        INVALID_CLIENT.en,
        headers={"WWW-Authenticate": 'Basic realm="shuqiao"'},
    )


def _problem(kind: ProblemType, error: str, zh: str, en: str, **more: Any) -> Problem:
    """Problem details that are an OAuth 2.0 error too."""
    return Problem(kind, zh, en, members={"error": error, "error_description": en}, **more)
