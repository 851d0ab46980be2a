"""How a licence lies in the database: what can tell of a natural person is sealed, whatever else is there is readable.

A type's licences are sealed if one of them can say something of a natural person: their content (masked beside it), the
name and code of a holder who is one, and every signed document, byte for byte as signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from registry.domain.licences import content as contents
from registry.domain.licences.licence import Content
from registry.domain.licences.types import LicenceType
from registry.sealing import key_file
from registry.sealing.documents import opened_document, sealed_document
from registry.sealing.errors import PersonalKeysMissing
from registry.sealing.records import blind
from registry.sealing.ring import DOCUMENT
from schemas.masking import mask
from schemas.personal import masked_whole

LICENCE, FORM, COPY, CREDENTIAL = "licence", "licence_form", "licence_copy", "issued_credential"


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The columns of a licence that may have to do with a person."""

    content: bytes
    """JSON; personal values masked."""
    personal: bytes | None
    """The content, sealed; None: it says nothing of persons."""
    digest: UUID
    holder_code: str
    holder_name: str


def stored_content(licence_type: LicenceType, content: Content, plain: Mapping[str, Any], number: int) -> StoredContent:
    """A licence's content as it is stored under its number. Raises PersonalKeysError."""
    holder = content.holders[0]
    if not licence_type.has_personal_items:
        digest = contents.content_hash(licence_type, plain)
        return StoredContent(orjson.dumps(plain), None, digest, holder.code, holder.name)
    natural = holder.is_natural_person
    text = orjson.dumps([licence_type.reference, plain], option=orjson.OPT_SORT_KEYS)
    ring = key_file.ring()
    return StoredContent(
        orjson.dumps(_masked(licence_type, content, plain)),
        sealed_document(LICENCE, str(number), orjson.dumps(plain)),
        UUID(ring.content_digest(text)),
        _blind(holder.code) if natural else holder.code,
        mask(holder.name) if natural else holder.name,
    )


def opened_content(content: Mapping[str, Any], personal: bytes | None, number: int) -> Mapping[str, Any]:
    """What a licence says. Raises PersonalKeysError."""
    if personal is None:
        return content
    found: dict[str, Any] = orjson.loads(opened_document(LICENCE, str(number), personal))
    return found


def holder_codes(code: str | None) -> list[str] | None:
    """As what a holder's code may be stored: as it is, or, a natural person's, as its blind index."""
    if code is None:
        return None
    try:
        return [code, _blind(code)]
    except PersonalKeysMissing:
        return [code]


def stored_document(licence_type: LicenceType, kind: str, identity: str, signed: bytes) -> bytes:
    """A signed document as it is stored. Raises PersonalKeysError."""
    return sealed_document(kind, identity, signed) if licence_type.has_personal_items else signed


def stored_credential(credential_id: str, signed: bytes) -> bytes:
    """A credential that a client had signed, as it is stored: nobody knows whom it tells of, so it is sealed.

    As it is where nothing here is sealed. Raises PersonalKeysError.
    """
    try:
        return sealed_document(CREDENTIAL, credential_id, signed)
    except PersonalKeysMissing:
        return signed


def signed_document(kind: str, identity: str, stored: bytes) -> bytes:
    """A stored document, byte for byte as it was signed. Raises PersonalKeysError.

    No signed document begins with the byte that everything sealed begins with.
    """
    stored = bytes(stored)
    return opened_document(kind, identity, stored) if stored[:1] == bytes((DOCUMENT,)) else stored


def form_identity(licence_id: int, form: str) -> str:
    """What a licence's form is bound to."""
    return f"{licence_id}/{form}"


def copy_identity(copy_id: str, part: str) -> str:
    """What the ``credential`` or the ``pdf`` of an annotated copy is bound to."""
    return f"{copy_id}/{part}"


def _blind(code: str) -> str:
    return f"blind:{blind(key_file.ring(), 'holder_code', code)}"


def _masked(licence_type: LicenceType, content: Content, plain: Mapping[str, Any]) -> dict[str, Any]:
    personal = {item.name for item in licence_type.items if item.personal}
    shown = {
        "holders": [
            {"name": mask(holder.name), "code": mask(holder.code), "code_type": holder.code_type}
            if holder.is_natural_person
            else said
            for holder, said in zip(content.holders, plain["holders"], strict=True)
        ],
        "items": {name: masked_whole(value) if name in personal else value for name, value in plain["items"].items()},
    }
    return {**plain, **shown}
