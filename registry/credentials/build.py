"""What a licence's credential says (W3C Verifiable Credentials 2.0), and the context and schemas it is read with.

Members stand in a fixed order; equal licences give equal bytes. Dates of a licence are whole days in China.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from registry.credentials import status_list
from registry.credentials.jcs import canonical
from registry.credentials.moments import first_moment, last_moment, text_of
from registry.credentials.trust_list import context_url
from registry.domain.licences import states
from registry.domain.licences.licence import Content, Holder, Licence, Origin, StatusEntry
from registry.domain.licences.types import Item, LicenceType

CONTEXT = status_list.CONTEXT
LICENCE = "LicenceCredential"
COPY = "LicenceCopyCredential"
CONTEXT_TYPE = "application/ld+json"
SCHEMA_TYPE = "application/schema+json"
PURPOSES: tuple[status_list.Purpose, ...] = ("revocation", "suspension", "message")

_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TERMS = (
    "ElectronicLicence", "LicenceCopyCredential", "LicenceCredential", "RegistryRecord", "AnnotatedCopyTerms",
    "TrustList", "TrustListContent",
    "licenceType", "licenceTypeName", "licenceTypeVersion", "definingAuthority", "identifier", "number", "holder",
    "holderName", "code", "codeType", "issuingAuthority", "authorityName", "issuedOn", "firstDay", "lastDay",
    "trustGrade", "supersedes", "copyOf", "dataset", "recordSchema", "recordKeyDigest", "recordVersion", "batch",
    "connector", "department", "requestedBy", "cause", "copiedAt", "usableUntil", "rootCertificate", "hubCertificate",
)  # fmt: skip
_JSON_TERMS = ("items", "trustedIssuers", "resources")


def licence_credential(licence: Licence, *, base: str) -> dict[str, Any]:
    """The credential of a licence, not yet signed."""
    content = licence.content
    credential: dict[str, Any] = {
        "@context": [CONTEXT, context_url(base)],
        "id": licence_url(base, licence.identifier),
        "type": ["VerifiableCredential", LICENCE],
        "name": content.type.title.zh,
        "issuer": {"id": licence.issuer.did, "name": licence.issuer.name},
        "validFrom": first_moment(content.valid_from),
    }
    if content.valid_to is not None:
        credential["validUntil"] = last_moment(content.valid_to)
    credential["credentialSubject"] = _subject(licence)
    credential["credentialStatus"] = entry(base, licence.status)
    if licence.origin is not None:
        credential["evidence"] = [_evidence(licence.origin)]
    return credential | _published(content.type, base)


def copy_credential(
    licence_document: Mapping[str, Any],
    licence_bytes: bytes,
    *,
    base: str,
    copy_id: str,
    status: StatusEntry,
    requested_by: str,
    cause: str,
    created: datetime,
    until: datetime,
) -> dict[str, Any]:
    """An annotated copy 加注件 of a licence for one use, not yet signed.

    It ends ``until``, or with the licence if that is earlier; it has a status of its own, and the digest of the licence
    it was made from (``licence_bytes``, as kept).
    """
    ends = [text_of(until)]
    if "validUntil" in licence_document:
        ends.append(text_of(datetime.fromisoformat(licence_document["validUntil"])))
    kept = {
        name: licence_document[name] for name in ("@context", "name", "issuer", "credentialSubject", "credentialSchema")
    }
    licence_id = licence_document["id"]
    return {
        "@context": kept["@context"],
        "id": f"{base}/verify/copies/{copy_id}",
        "type": ["VerifiableCredential", COPY],
        "name": kept["name"],
        "issuer": kept["issuer"],
        "validFrom": text_of(created),
        "validUntil": min(ends),
        "credentialSubject": {**kept["credentialSubject"], "copyOf": licence_id},
        "credentialStatus": entry(base, status),
        "termsOfUse": [
            {
                "type": "AnnotatedCopyTerms",
                "requestedBy": requested_by,
                "cause": cause,
                "copiedAt": text_of(created),
                "usableUntil": min(ends),
            }
        ],
        "credentialSchema": kept["credentialSchema"],
        "relatedResource": [
            *licence_document["relatedResource"],
            {"id": licence_id, "mediaType": "application/vc", "digestSRI": digest_sri(licence_bytes)},
        ],
    }


def licence_url(base: str, identifier: str) -> str:
    """Where a licence is found: the id of its credential."""
    return f"{base}/licences/{identifier}"


def entry(base: str, status: StatusEntry) -> list[dict[str, Any]]:
    """The three status entries of one position."""
    return [
        status_list.entry(
            status_url(base, status.group, purpose),
            purpose,
            status.index,
            states.MESSAGES if purpose == "message" else (),
        )
        for purpose in PURPOSES
    ]


def status_url(base: str, group: int, purpose: status_list.Purpose) -> str:
    """Where a status list is published."""
    return f"{base}/status/{group}/{purpose}"


def schema_url(base: str, licence_type: LicenceType) -> str:
    """Where the schema of a type's credentials is published."""
    return f"{base}/schemas/licences/{licence_type.name}/{licence_type.version}.json"


def digest_sri(data: bytes) -> str:
    """The digest of a related resource as Subresource Integrity writes it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def disclosable(document: Mapping[str, Any], licence_type: LicenceType) -> list[str]:
    """JSON Pointers to what says something of a natural person: what an SD-JWT lets the holder keep to themselves."""
    subject = document["credentialSubject"]
    pointers = [
        f"/credentialSubject/holder/{place}/{member}"
        for place, holder in enumerate(subject["holder"])
        if not holder["codeType"].startswith("0")
        for member in ("holderName", "code")
    ]
    return pointers + [
        f"/credentialSubject/items/{item.name}"
        for item in licence_type.items
        if item.personal and item.name in subject["items"]
    ]


@lru_cache(maxsize=16)
def context(base: str) -> bytes:
    """The JSON-LD context of licences, as published; its terms are fixed once published."""
    vocabulary = f"{context_url(base)}#"
    terms: dict[str, Any] = {"@protected": True}
    terms |= {name: vocabulary + name for name in _TERMS}
    terms |= {name: {"@id": vocabulary + name, "@type": "@json"} for name in _JSON_TERMS}
    return canonical({"@context": terms})


@lru_cache(maxsize=256)
def _schema(licence_type: _Keyed, base: str) -> bytes:
    return canonical(_schema_document(licence_type.type, base))


def schema(licence_type: LicenceType, base: str) -> bytes:
    """The JSON Schema (2020-12) of the credentials of a type, as published."""
    return _schema(_Keyed(licence_type), base)


def published(types: Iterable[LicenceType], base: str) -> dict[str, bytes]:
    """The context and every type's schema by address: what the API serves and the trust list carries."""
    schemas = {schema_url(base, one): schema(one, base) for one in types}
    return {context_url(base): context(base), **schemas}


class _Keyed:
    """A licence type as a key: its edition, not its members (a mapping cannot be hashed)."""

    __slots__ = ("key", "type")

    def __init__(self, licence_type: LicenceType) -> None:
        self.type = licence_type
        self.key = (licence_type.name, licence_type.version, licence_type.digest)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self.key == other.key


def _subject(licence: Licence) -> dict[str, Any]:
    content = licence.content
    kind = content.type
    subject: dict[str, Any] = {
        "type": "ElectronicLicence",
        "licenceType": {
            "code": kind.code,
            "licenceTypeName": kind.title.zh,
            "licenceTypeVersion": kind.reference,
            "definingAuthority": {"authorityName": kind.defining_authority.name, "code": kind.defining_authority.code},
        },
        "identifier": licence.identifier,
        "number": content.number,
        "holder": [_holder(holder) for holder in content.holders],
        "issuingAuthority": _authority(licence, content),
        "issuedOn": content.issued_on.isoformat(),
        "firstDay": content.valid_from.isoformat(),
    }
    if content.valid_to is not None:
        subject["lastDay"] = content.valid_to.isoformat()
    subject["items"] = {name: _plain(value) for name, value in content.items.items()}
    subject["trustGrade"] = kind.trust_grade
    if licence.supersedes is not None:
        subject["supersedes"] = licence.supersedes
    return subject


def _holder(holder: Holder) -> dict[str, str]:
    return {"holderName": holder.name, "code": holder.code, "codeType": holder.code_type}


def _authority(licence: Licence, content: Content) -> dict[str, str]:
    """By the name on the record, and the code under which the registry has its seal."""
    return {"authorityName": content.issuer_name, "code": licence.issuer.code}


def _evidence(origin: Origin) -> dict[str, Any]:
    return {
        "type": ["RegistryRecord"],
        "dataset": origin.dataset,
        "recordSchema": origin.schema,
        "recordKeyDigest": hashlib.sha256(origin.key.encode()).hexdigest(),
        "recordVersion": origin.record_version,
        "batch": origin.batch_id,
        "connector": origin.connector,
        "department": origin.department,
    }


def _plain(value: Any) -> Any:
    """An item's value as JSON has it; the parts of an amount of money are texts already."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | bool | int) else str(value)


def _published(licence_type: LicenceType, base: str) -> dict[str, Any]:
    return _published_once(_Keyed(licence_type), base)


@lru_cache(maxsize=256)
def _published_once(keyed: _Keyed, base: str) -> dict[str, Any]:
    address = schema_url(base, keyed.type)
    return {
        "credentialSchema": {"id": address, "type": "JsonSchema"},
        "relatedResource": [
            {"id": context_url(base), "mediaType": CONTEXT_TYPE, "digestSRI": digest_sri(context(base))},
            {"id": address, "mediaType": SCHEMA_TYPE, "digestSRI": digest_sri(schema(keyed.type, base))},
        ],
    }


def _schema_document(kind: LicenceType, base: str) -> dict[str, Any]:
    required = [item.name for item in kind.items if item.required]
    codes: dict[str, Any] = {"type": "string", "enum": sorted(kind.holder.code_types)}
    authorities = {**_TEXT, "enum": sorted(kind.issuer.only)} if kind.issuer.only else _TEXT
    subject = _object(
        {
            "type": {"const": "ElectronicLicence"},
            "licenceType": _object(
                {
                    "code": {"const": kind.code},
                    "licenceTypeName": {"const": kind.title.zh},
                    "licenceTypeVersion": {"const": kind.reference},
                    "definingAuthority": _object({"authorityName": _TEXT, "code": _TEXT}),
                }
            ),
            "identifier": {"type": "string", "pattern": rf"^1\.2\.156\.3005\.2\.{re.escape(kind.code)}\."},
            "number": {"type": "string", "pattern": f"^(?:{kind.number.pattern})$"},
            "holder": {
                "type": "array",
                "minItems": 1,
                "items": _object({"holderName": _TEXT, "code": _TEXT, "codeType": codes}),
            },
            "issuingAuthority": _object({"authorityName": _TEXT, "code": authorities}),
            "issuedOn": {"type": "string", "pattern": _DAY},
            "firstDay": {"type": "string", "pattern": _DAY},
            "lastDay": {"type": "string", "pattern": _DAY},
            "items": _object({item.name: _item_schema(item) for item in kind.items}, required),
            "trustGrade": {"const": kind.trust_grade},
            "supersedes": _TEXT,
            "copyOf": _TEXT,
        },
        optional=("lastDay", "supersedes", "copyOf"),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_url(base, kind),
        "title": f"{kind.title.zh} {kind.title.en}",
        "type": "object",
        "required": ["@context", "id", "type", "issuer", "validFrom", "credentialSubject", "credentialStatus"],
        "properties": {
            "type": {"type": "array", "contains": {"enum": [LICENCE, COPY]}},
            "credentialSubject": subject,
            "credentialStatus": {"type": "array", "minItems": len(PURPOSES)},
        },
    }


_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_ITEM_KINDS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "date": {"type": "string", "pattern": _DAY},
    "list": {"type": "array", "items": {"type": "string"}},
    "money": {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("amount", "unit", "currency")},
        "required": ["amount", "unit", "currency"],
        "additionalProperties": False,
    },
}


def _item_schema(item: Item) -> dict[str, Any]:
    return {"title": f"{item.title.zh} {item.title.en}", **_ITEM_KINDS[item.kind]}


def _object(
    properties: Mapping[str, Any], required: Sequence[str] | None = None, *, optional: Sequence[str] = ()
) -> dict[str, Any]:
    """A closed object: nothing that it does not name. All is required that is not said to be optional."""
    names = [name for name in properties if name not in optional] if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": names, "additionalProperties": False}
