"""Headers of answers that no route sets itself: which an answer may carry, and what each means, for the description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from registry.api.access import security
from registry.api.access_log.logged import RECEIPT, UNLOGGED
from registry.api.idempotency import REPLAYED

_REQUEST_ID = "X-Request-Id"
_LIMITS = ("RateLimit", "RateLimit-Policy")
_ON_RECORD = (RECEIPT, "Content-Digest", "Signature-Input", "Signature")
_OLD_VERSION = ("Deprecation", "Sunset")
_ETAG = "ETag"
MEANINGS: Mapping[str, str] = {
    _REQUEST_ID: "The request's id, yours if you send one; the hub's log has it 请求编号",
    "RateLimit": "How many requests are left, and in how many seconds all are there again 剩余请求数",
    "RateLimit-Policy": "How many requests are allowed in how many seconds 请求限额",
    RECEIPT: "Where the answer stands in the access log, and what it is an answer to; keep it 回执，请留存",
    "Content-Digest": "Digest of the body as it was sent (RFC 9530) 正文摘要",
    "Signature-Input": "What the hub has signed of the answer (RFC 9421); absent from streams 签名范围",
    "Signature": "The hub's signature of the answer (RFC 9421); absent from streams 平台签名",
    _ETAG: "Send it back in If-None-Match: 304 as long as nothing has changed 实体标签",
    "Deprecation": "Since when there is a later version of the schema than the grant's (RFC 9745) 版本弃用时间",
    "Sunset": "Until when the grant's version is served (RFC 8594) 版本停止提供时间",
    REPLAYED: "`true`: the request was sent again; this is the answer of the first time 重发请求，原样返回首次答复",
}
_REQUIRED = {_REQUEST_ID}
"""No answer is without it."""


def components() -> dict[str, Any]:
    """Every one of them, for the description."""
    return {
        name: {"description": meaning, "required": name in _REQUIRED, "schema": {"type": "string"}}
        for name, meaning in MEANINGS.items()
    }


def add(operation: dict[str, Any], route: APIRoute, *, is_named_write: bool, has_versions: bool) -> None:
    """Say of each answer of an operation which of them it may carry."""
    for status, answer in operation["responses"].items():
        named = _of(route, HTTPStatus(int(status)), is_named_write=is_named_write, has_versions=has_versions)
        declared = answer.setdefault("headers", {})
        for name in named:
            declared.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _of(route: APIRoute, status: HTTPStatus, *, is_named_write: bool, has_versions: bool) -> Iterator[str]:
    is_public = security.rule_of(route) is security.public
    is_good = status < HTTPStatus.BAD_REQUEST
    is_known = not is_public and status is not HTTPStatus.UNAUTHORIZED
    proves_itself = route.path.endswith("/token")  # and is refused by name, for what it asks
    yield _REQUEST_ID
    if is_known or (proves_itself and status is not HTTPStatus.UNAUTHORIZED):
        yield from _LIMITS
    if route.path not in UNLOGGED and (is_known or is_good or proves_itself):
        yield from _ON_RECORD
    if has_versions and is_known:
        yield from _OLD_VERSION
    if status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED) and _takes_etag(route.dependant):
        yield _ETAG
    if is_named_write and status < HTTPStatus.MULTIPLE_CHOICES:
        yield REPLAYED


def _takes_etag(dependant: Dependant) -> bool:
    here = any(field.alias.lower() == "if-none-match" for field in dependant.header_params)
    return here or any(_takes_etag(inner) for inner in dependant.dependencies)
