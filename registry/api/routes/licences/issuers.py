"""Who issues, and with which keys: everything that a verifier needs besides the licence and its status."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import Public
from registry.api.licences.published import document, media
from registry.api.parameters import IfNoneMatch
from registry.api.problems import NOT_FOUND, Problem
from registry.api.state import state_of
from registry.credentials.build import CONTEXT_TYPE, SCHEMA_TYPE

router = APIRouter(tags=["trust"], dependencies=[Public])

DID_TYPE = "application/did+json"
JWKS_TYPE = "application/jwk-set+json"
PEM_TYPE = "application/x-pem-file"
VC_TYPE = "application/vc"
KEYS_MAX_AGE = 300
"""Seconds: how long a revoked key may still look good to who keeps these documents."""
FIXED_MAX_AGE = 86400
"""Seconds, for contexts and schemas: they do not change once published."""


@router.get("/.well-known/did.json", response_class=Response, responses=media(DID_TYPE, "DID document (did:web)"))
async def hub_did(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """The hub's DID document. 平台 DID 文档."""
    return await _did(request, "", if_none_match)


@router.get("/issuers/{code}/did.json", response_class=Response, responses=media(DID_TYPE, "DID document (did:web)"))
async def issuer_did(
    request: Request,
    code: Annotated[str, Path(min_length=1, max_length=64, examples=["11310000000000000X"])],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The DID document of an issuing authority, with every key it signs or has signed with. 颁发机构 DID 文档."""
    return await _did(request, code, if_none_match)


@router.get("/.well-known/jwks.json", response_class=Response, responses=media(JWKS_TYPE, "JWK Set (RFC 7517)"))
async def key_set(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """The public keys of the hub, of every issuer, and of access tokens. 公钥集."""
    found = await state_of(request).trust.current()
    return document(found.jwks, JWKS_TYPE, if_none_match, max_age=KEYS_MAX_AGE)


@router.get("/trust-list.json", response_class=Response, responses=media(VC_TYPE, "Trust list, a signed credential"))
async def trust_list(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Everything for verifying offline in one signed file: root, issuers, keys, context, schemas. 信任列表."""
    found = await state_of(request).trust.trust_list()
    if found is None:
        raise _no_issuer()
    return document(found, VC_TYPE, if_none_match, max_age=KEYS_MAX_AGE)


@router.get("/root.pem", response_class=Response, responses=media(PEM_TYPE, "X.509 root certificate"))
async def root_certificate(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """The root certificate: compare its fingerprint with the one handed out on paper. 根证书."""
    found = await state_of(request).trust.current()
    if found.root_pem is None:
        raise _no_issuer()
    return document(found.root_pem, PEM_TYPE, if_none_match, max_age=KEYS_MAX_AGE)


@router.get("/contexts/licence/v1.json", response_class=Response, responses=media(CONTEXT_TYPE, "JSON-LD context"))
async def context(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """The JSON-LD context of licences; its digest is in every licence. 证照 JSON-LD 上下文."""
    return _published(request, "/contexts/licence/v1.json", CONTEXT_TYPE, if_none_match)


@router.get(
    "/schemas/licences/{type}/{version}.json", response_class=Response, responses=media(SCHEMA_TYPE, "JSON Schema")
)
async def schema(
    request: Request,
    type: Annotated[str, Path(max_length=63, examples=["food_business_licence"])],  # noqa: A002
    version: Annotated[int, Path(ge=1, lt=10000)],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The JSON Schema of the credentials of a type; its digest is in every licence of the type. 证照模式."""
    return _published(request, f"/schemas/licences/{type}/{version}.json", SCHEMA_TYPE, if_none_match)


async def _did(request: Request, code: str, if_none_match: str | None) -> Response:
    found = (await state_of(request).trust.current()).dids.get(code)
    if found is None:
        raise Problem(NOT_FOUND, "没有该颁发机构。", "There is no such issuing authority.")
    return document(found, DID_TYPE, if_none_match, max_age=KEYS_MAX_AGE)


def _published(request: Request, path: str, media_type: str, if_none_match: str | None) -> Response:
    found = state_of(request).trust.published(path)
    if found is None:
        raise Problem(NOT_FOUND, "没有该证照类型或版本。", "There is no such licence type, or no such version of it.")
    return document(found, media_type, if_none_match, max_age=FIXED_MAX_AGE)


def _no_issuer() -> Problem:
    return Problem(NOT_FOUND, "尚未登记颁发机构。", "No issuing authority has been entered yet.")
