"""Requests for tokens as forms, and their refusals: problem details that are OAuth 2.0 errors too (RFC 6749, 5.2)."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import Request

from registry.api.clients.attempts import Refused
from registry.api.problems import INVALID_CLIENT, INVALID_REQUEST, TOO_MANY_ATTEMPTS, Problem, ProblemType

FORM = "application/x-www-form-urlencoded"
CHALLENGE = 'Basic realm="shuqiao"'


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request offers as proof of who sends it; empty where it does not."""

    client_id: str
    secret: str
    assertion_type: str
    assertion: str


async def form_of(request: Request) -> dict[str, str]:
    """The parameters of the body, each once. Raises Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise problem(INVALID_REQUEST, "invalid_request", f"请求体应为 {FORM}。", f"The body is to be {FORM}.")
    try:
        found = parse_qs(
            (await request.body()).decode(), keep_blank_values=True, strict_parsing=False, max_num_fields=20
        )
    except ValueError as error:
        raise problem(INVALID_REQUEST, "invalid_request", "表单无法解析。", "The form cannot be read.") from error
    if any(len(values) > 1 for values in found.values()):
        raise problem(INVALID_REQUEST, "invalid_request", "有参数重复。", "A parameter is given more than once.")
    return {name: values[0] for name, values in found.items()}


def credentials_of(request: Request, form: dict[str, str]) -> Credentials:
    """The proof that a request offers, by one way only. Raises Problem."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    named, secret = form.get("client_id", ""), form.get("client_secret", "")
    assertion_type, assertion = form.get("client_assertion_type", ""), form.get("client_assertion", "")
    ways = [scheme.lower() == "basic", bool(secret), bool(assertion or assertion_type)]
    if sum(ways) > 1:
        raise problem(
            INVALID_REQUEST,
            "invalid_request",
            "只能使用一种客户端认证方式。",
            "A client proves who it is in one way; the request uses several.",
        )
    if ways[0]:
        try:
            in_header, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise unproven() from error
        if named and named != unquote_plus(in_header):
            raise unproven()
        named, secret = unquote_plus(in_header), unquote_plus(secret)
    return Credentials(named, secret, assertion_type, assertion)


def unproven() -> Problem:
    """Nothing proves that the client is who it says; what was wrong is not told."""
    return problem(
        INVALID_CLIENT,
        "invalid_client",
        INVALID_CLIENT.zh,
        INVALID_CLIENT.en,
        headers={"WWW-Authenticate": CHALLENGE},
    )


def too_often(refused: Refused) -> Problem:
    """Asked again too soon; of what there is no more, and when it is worth trying."""
    whole, pace = max(1, math.ceil(refused.seconds)), refused.pace
    return problem(
        TOO_MANY_ATTEMPTS,
        "slow_down",
        f"请求令牌过于频繁，请在 {whole} 秒后重试。",
        f"Tokens are asked for too often from here; try again in {whole} seconds.",
        headers={
            "Retry-After": str(whole),
            "RateLimit-Policy": f'"{pace.name}";q={pace.at_once};w={pace.whole:.0f}',
            "RateLimit": f'"{pace.name}";r=0;t={whole}',
        },
        members={"violated-policies": [pace.name]},
    )


def problem(
    kind: ProblemType, error: str, zh: str, en: str, *, members: Mapping[str, Any] | None = None, **more: Any
) -> Problem:
    """Problem details with the members of an OAuth 2.0 error."""
    return Problem(kind, zh, en, members={"error": error, "error_description": en, **(members or {})}, **more)
