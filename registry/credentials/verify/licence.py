"""What must hold of a licence beyond the data model: a right identifier, of the authority that sealed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from registry.credentials.build import COPY, LICENCE
from registry.credentials.trust_list import TrustedIssuer, TrustList, context_url
from registry.credentials.verify.model import id_of, many, types_of
from registry.credentials.verify.verdict import CheckFailed
from registry.domain.licences.identifiers import IdentifierMalformed, parse

_CONTEXT = context_url("")
_SCHEMAS = "/schemas/licences/"


def is_licence(document: Mapping[str, Any]) -> bool:
    """Whether a credential is a licence or an annotated copy of one, whose members are known here."""
    types = types_of(document)
    return LICENCE in types or COPY in types


def subject_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The licence within its credential; empty when there is none."""
    subjects = many(document.get("credentialSubject"))
    return subjects[0] if subjects and isinstance(subjects[0], dict) else {}


def check_identifier(document: Mapping[str, Any], issuer: TrustedIssuer) -> None:
    """Whether the identifier has its right check character and is this issuer's.

    Raises CheckFailed: identifier_malformed, check_character, other_authority, identifier_address.
    """
    subject = subject_of(document)
    text = subject.get("identifier")
    if not isinstance(text, str):
        _fail("identifier_malformed", "没有证照标识", "there is no identifier")
    try:
        parsed = parse(text)
    except IdentifierMalformed as error:
        _fail("identifier_malformed", f"证照标识有误：{error.zh}", f"the identifier is malformed: {error.en}")
    warning = parsed.warning
    if warning is not None:
        _fail("check_character", *warning)
    authority = subject.get("issuingAuthority")
    named = authority.get("code") if isinstance(authority, dict) else None
    if parsed.identifier.issuer_code != issuer.code or named != issuer.code:
        zh = f"证照标识或颁发机构不属于签章机构“{issuer.name}”"
        _fail("other_authority", zh, f"identifier or authority is not that of the signing issuer ({issuer.name_en})")
    if LICENCE in types_of(document) and not str(document.get("id")).endswith(f"/licences/{text}"):
        _fail("identifier_address", "凭证 id 与证照标识不一致", "the credential's id is of another identifier")


def check_schema_named(document: Mapping[str, Any], trust: TrustList) -> None:
    """Whether a licence names a schema of its hub: what it leaves out of its content would else never be missed.

    The schema asks for status entries too, so a licence that cannot be revoked is none. Raises CheckFailed:
    schema_missing, schema_elsewhere.
    """
    named = [id_of(one) for one in many(document.get("credentialSchema"))]
    if not named:
        _fail("schema_missing", "证照没有指明其类型的内容规定", "the licence does not name the schema of its type")
    bases = [url.removesuffix(_CONTEXT) for url in trust.resources if url.endswith(_CONTEXT)]
    beginnings = tuple(f"{base}{_SCHEMAS}" for base in bases)
    if beginnings and not all(url is not None and url.startswith(beginnings) for url in named):
        _fail(
            "schema_elsewhere",
            "证照指明的内容规定不是平台发布的",
            "the schema that the licence names is none that the hub publishes",
        )


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
