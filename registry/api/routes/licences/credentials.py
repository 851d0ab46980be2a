"""Issuing, verifying and ending credentials, in the shapes of the W3C VC API.

Verifying is for anyone; issuing, and changing what was issued, for clients with ``issue:<issuer code>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import orjson
import psycopg
from fastapi import APIRouter, Request, Response

from registry.api.access.security import Caller, IssuingClient, Public
from registry.api.licences import models
from registry.api.licences.verification_answers import said
from registry.api.problems import (
    CREDENTIAL_REFUSED,
    DOCUMENT_REFUSED,
    INVALID_BODY,
    NOT_GRANTED,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
    parameter_error,
)
from registry.api.representations import answer, now
from registry.api.state import ApiState, state_of
from registry.credentials import jcs
from registry.credentials.status_list import SIZES, Purpose
from registry.credentials.verify.model import id_of, many
from registry.licences import api_credentials
from registry.licences.keys import KeyRing

router = APIRouter(tags=["credentials (VC API)"])

Member = Literal["verifiableCredential", "verifiablePresentation"]

_JSON = ("application/json", "application/ld+json")
_DOCUMENTS = (
    "application/vc",
    "application/vc+jwt",
    "application/vp",
    "application/vp+jwt",
    "application/vc+sd-jwt",
    "application/dc+sd-jwt",
    "application/pdf",
)
_MOST_STATUSES = 10


def _body(properties: Mapping[str, Any], required: list[str], *, documents: bool = False) -> dict[str, Any]:
    """How the OpenAPI description has the body."""
    schema = {"type": "object", "required": required, "properties": dict(properties)}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if documents:
        content |= {media_type: {"schema": {"type": "string"}} for media_type in _DOCUMENTS}
    return {"requestBody": {"required": True, "content": content}}


_OPTIONS = {"type": "object", "properties": {"challenge": {"type": "string"}, "domain": {"type": "string"}}}
_SECURED = {"type": ["object", "string"], "description": "With its proof, enveloped, or a token 凭证、信封或令牌"}


@router.post(
    "/credentials/verify",
    response_model=models.Verification,
    dependencies=[Public],
    openapi_extra=_body(
        {"verifiableCredential": _SECURED, "options": _OPTIONS}, ["verifiableCredential"], documents=True
    ),
)
async def verify_credential(request: Request) -> Response:
    """Whether a licence or credential is genuine and may be relied on now.

    Send it as the VC API says, or as it is (a PDF too) with its media type. 核验凭证、证照文件。
    """
    return await _verify(request, "verifiableCredential")


@router.post(
    "/presentations/verify",
    response_model=models.Verification,
    dependencies=[Public],
    openapi_extra=_body(
        {"verifiablePresentation": _SECURED, "options": _OPTIONS}, ["verifiablePresentation"], documents=True
    ),
)
async def verify_presentation(request: Request) -> Response:
    """Whether a presentation holds, answers the challenge, and all that is in it may be relied on. 核验出示."""
    return await _verify(request, "verifiablePresentation")


@router.post(
    "/credentials/issue",
    response_model=models.IssuedCredential,
    status_code=201,
    openapi_extra=_body({"credential": {"type": "object"}, "options": {"type": "object"}}, ["credential"]),
)
async def issue(request: Request, caller: IssuingClient) -> Response:
    """Have a credential (VC 2.0) signed for an issuer; status and proof are filled in here.

    The same request again gets the same credential. 签发凭证。
    """
    state = state_of(request)
    document = (await _object(request)).get("credential")
    if not isinstance(document, dict):
        raise _invalid("credential", "应为凭证对象。", "Expected a credential, an object.")
    code = await _issuer(state, caller, document)
    issued = await state.licensing.sign(
        lambda connection, keys: api_credentials.issue(
            connection, caller.client_id, code, document, keys=keys, base=state.licensing.base, now=now()
        )
    )
    return answer({"verifiableCredential": orjson.Fragment(issued.body)}, status=201)


@router.post(
    "/credentials/status",
    response_model=models.StatusChanged,
    openapi_extra=_body(
        {
            "credentialId": {"type": "string"},
            "credentialStatus": {
                "type": ["object", "array"],
                "description": "type, statusPurpose (revocation, suspension, message) and status of each",
            },
            "status": {"type": "boolean", "description": "For entries that have none of their own"},
        },
        ["credentialId", "credentialStatus"],
    ),
)
async def change_status(request: Request, caller: IssuingClient) -> Response:
    """Revoke, suspend or take up again a credential that this client had signed. 变更凭证状态."""
    state = state_of(request)
    body = await _object(request)
    credential_id = body.get("credentialId")
    if not isinstance(credential_id, str):
        raise _invalid("credentialId", "应为凭证的 id。", "Expected the credential's id.")
    wanted = [_status(entry, body) for entry in many(body.get("credentialStatus"))[:_MOST_STATUSES]]
    if not wanted:
        raise _invalid("credentialStatus", "应至少有一项。", "Expected at least one.")
    changed = False
    for purpose, value in wanted:
        changed |= await state.licensing.sign(
            partial(_set_status, credential_id, caller.client_id, purpose, value, state.licensing.base)
        )
    return answer({"credentialId": credential_id, "changed": changed})


def _set_status(
    credential_id: str,
    client_id: str,
    purpose: Purpose,
    value: int,
    base: str,
    connection: psycopg.Connection,
    keys: KeyRing,
) -> bool:
    return api_credentials.set_status(
        connection, credential_id, client_id, purpose, value, keys=keys, base=base, now=now()
    )


async def _verify(request: Request, member: Member) -> Response:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    options: dict[str, Any] = {}
    if media_type in _JSON:
        body = await _object(request)
        document, options = _document(body, member), _options(body)
    elif media_type in _DOCUMENTS:
        document = await request.body()
    else:
        names = ", ".join([*_JSON, *_DOCUMENTS])
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"应为 {names}。", f"Expected one of {names}.")
    challenge, domain = options.get("challenge"), options.get("domain")
    verdict = await state_of(request).verifier.verify(
        document, challenge=challenge, domain=domain, presented=member == "verifiablePresentation"
    )
    return answer(said(verdict, with_document=options.get("returnCredential") is True))


def _document(body: Mapping[str, Any], member: Member) -> bytes:
    """What is to be verified. It has been read strictly, so writing it down again loses nothing that was signed."""
    found = body.get(member)
    if isinstance(found, str):
        return found.encode()
    if isinstance(found, dict):
        return orjson.dumps(found)
    raise _invalid(member, "应为对象或令牌。", "Expected an object or a token.")


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    found = body.get("options", {})
    texts = [found.get(name) for name in ("challenge", "domain")] if isinstance(found, dict) else [0]
    if not isinstance(found, dict) or not all(text is None or isinstance(text, str) for text in texts):
        raise _invalid(
            "options", "challenge 与 domain 应为文本。", "Expected an object; challenge and domain are texts."
        )
    return found


async def _object(request: Request) -> dict[str, Any]:
    """The body, read strictly: nothing in it can be read in two ways. Raises Problem."""
    try:
        return jcs.parse_object(await request.body())
    except jcs.DocumentRefused as error:
        raise Problem(DOCUMENT_REFUSED, f"{error.zh}。", f"{error.en}.", members={"reason": error.code}) from error


async def _issuer(state: ApiState, caller: Caller, document: Mapping[str, Any]) -> str:
    """The code of the issuer for whom a credential is to be signed. Raises Problem unless the client may have it so."""
    named = id_of(document.get("issuer"))
    if named is None:
        if len(caller.issues_for) == 1 and "issuer" not in document:
            return next(iter(caller.issues_for))
        raise _invalid("credential/issuer", "应为颁发机构的 DID。", "Expected the issuer's DID.")
    trusted = (await state.trust.current()).trust
    issuer = trusted.issuers.get(named) if trusted is not None else None
    if issuer is not None and issuer.code in caller.issues_for:
        return issuer.code
    if issuer is None and any(named.endswith(f":{code}") for code in caller.issues_for):
        raise Problem(CREDENTIAL_REFUSED, f"没有颁发机构 {named}。", f"There is no issuer {named}.")
    code = issuer.code if issuer is not None else "…"
    raise Problem(NOT_GRANTED, f"需要授权范围 issue:{code}。", f"The scope issue:{code} is needed.")


def _status(entry: Any, body: Mapping[str, Any]) -> tuple[Purpose, int]:
    """What is to be said for which purpose. Raises Problem."""
    if not isinstance(entry, dict):
        raise _invalid("credentialStatus", "各项应为对象。", "Expected objects.")
    purpose = entry.get("statusPurpose", "revocation")
    value = entry.get("status", body.get("status", True))
    number = _number(value)
    if purpose not in SIZES or number is None:
        raise _invalid(
            "credentialStatus",
            "statusPurpose 应为 revocation、suspension 或 message；status 应为真假或数字。",
            "Expected statusPurpose revocation, suspension or message, and a status of true, false or a number.",
        )
    return purpose, number


def _number(value: Any) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and value.removeprefix("0x").isalnum():
        try:
            return int(value, 16 if value.startswith("0x") else 10)
        except ValueError:
            return None
    return None


def _invalid(name: str, zh: str, en: str) -> Problem:
    error = parameter_error("", zh, en, where="body") | {"pointer": f"#/{name}"}
    return Problem(INVALID_BODY, f"{name}：{zh}", f"{name}: {en}", errors=[error])
