"""POST /token: OAuth 2.0 client credentials (RFC 6749, 4.4), proven by a secret, an assertion or a certificate."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from registry.api import models
from registry.api.access.security import Public
from registry.api.clients import assertions, clients, oauth
from registry.api.clients.oauth import FORM, problem
from registry.api.problems import INVALID_REQUEST, INVALID_SCOPE, parameter_error
from registry.api.representations import answer, now
from registry.api.state import state_of
from registry.storage.reads import grants
from registry.storage.reads.clients import Client

router = APIRouter(tags=["token"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                        "client_assertion_type": {"const": assertions.TYPE},
                        "client_assertion": {
                            "type": "string",
                            "description": "private_key_jwt (RFC 7523): a JWT that the client signed 客户端签名的断言",
                        },
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
    form = await oauth.form_of(request)
    if form.get("grant_type") != "client_credentials":
        raise problem(
            INVALID_REQUEST,
            "unsupported_grant_type" if "grant_type" in form else "invalid_request",
            "grant_type 应为 client_credentials。",
            "The grant_type is to be client_credentials.",
            errors=[
                parameter_error("grant_type", "应为 client_credentials。", "Expected client_credentials.", where="body")
            ],
        )
    state = state_of(request)
    proven = await state.authentication.prove(request, oauth.credentials_of(request, form))
    client = proven.client
    request.state.rate_limit = state.allowances.told(client.id, client.requests_per_second)
    granted = client.scopes | await _readable(request, client)
    scopes = set(form["scope"].split()) if form.get("scope") else set(granted)
    if missing := sorted(scopes - granted):
        names = ", ".join(missing)[:500]
        raise problem(
            INVALID_SCOPE, "invalid_scope", f"该客户端未获授权：{names}。", f"Not granted to this client: {names}."
        )
    content = {
        "access_token": state.tokens.issue(client.id, scopes, bound_to=proven.bound_to, whole=not form.get("scope")),
        "token_type": "Bearer",
        "expires_in": state.tokens.seconds,
        "scope": " ".join(sorted(scopes)),
    }
    return answer(content, headers={"Pragma": "no-cache"})


async def _readable(request: Request, client: Client) -> frozenset[str]:
    """A scope for each dataset that is granted to the client now."""
    found = await grants.standing(state_of(request).pool, client.id)
    return frozenset(f"{clients.READ}{name}" for name, grant in found.items() if grant.is_in_force(now()))
