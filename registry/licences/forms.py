"""The forms of one licence beside the credential it was issued as: made when first asked for, then kept as signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import orjson
import psycopg

from registry.credentials import build, jose, sd_jwt
from registry.documents import document
from registry.domain.licences.loading import LicenceTypes
from registry.domain.licences.types import LicenceType
from registry.licences import keys as signing_keys
from registry.licences.errors import FormNotOffered, LicenceUnknown
from registry.licences.keys import KeyRing
from registry.licences.storing import FORM, form_identity, signed_document, stored_document

Form = Literal["vc", "jwt", "sd_jwt", "pdf", "sm2"]
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True, slots=True)
class _Issued:
    """A licence as it was issued."""

    credential: bytes
    identifier: str
    type: LicenceType
    issuer_code: str
    issuer_en: str


def form(
    connection: psycopg.Connection,
    licence_id: int,
    form: Form,
    keys: KeyRing,
    types: LicenceTypes,
    *,
    base: str,
    now: datetime,
) -> bytes:
    """A form of a licence, made and kept if nobody has asked for it yet; two who ask at once get the same bytes.

    Raises LicenceUnknown, FormNotOffered, NoActiveKey, KeyNotActive (the key was changed meanwhile: ask again).
    """
    stored = _stored(connection, licence_id, form)
    if stored is not None:
        return stored
    issued = _issued(connection, licence_id, types)
    key_id, body = _make(issued, form, keys, base, now)
    with connection.transaction():
        signing_keys.hold(connection, [key_id])
        connection.execute(
            "INSERT INTO registry.licence_form (licence_id, form, body, key_id, made_at) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (licence_id, form) DO NOTHING",
            (licence_id, form, stored_document(issued.type, FORM, form_identity(licence_id, form), body), key_id, now),
        )
        kept = _stored(connection, licence_id, form)
    assert kept is not None  # noqa: S101  (inserted here, or by whoever was quicker)
    return kept


def _stored(connection: psycopg.Connection, licence_id: int, form: str) -> bytes | None:
    row = connection.execute(
        "SELECT body FROM registry.licence_form WHERE licence_id = %s AND form = %s", (licence_id, form)
    ).fetchone()
    return None if row is None else signed_document(FORM, form_identity(licence_id, form), row[0])


def _issued(connection: psycopg.Connection, licence_id: int, types: LicenceTypes) -> _Issued:
    row = connection.execute(
        "SELECT f.body, l.identifier, l.type, l.type_version, l.issuer_code, i.name_en FROM registry.licence l"
        " JOIN registry.licence_form f ON f.licence_id = l.id AND f.form = 'vc'"
        " JOIN registry.issuer i ON i.code = l.issuer_code WHERE l.id = %s",
        (licence_id,),
    ).fetchone()
    if row is None:
        raise LicenceUnknown(str(licence_id))
    body, identifier, name, version, issuer_code, issuer_en = row
    credential = signed_document(FORM, form_identity(licence_id, "vc"), body)
    return _Issued(credential, identifier, types.one(f"{name}@{version}"), issuer_code, issuer_en)


def _make(issued: _Issued, form: Form, keys: KeyRing, base: str, now: datetime) -> tuple[str, bytes]:
    """The id of the key and what it signed."""
    if form == "sm2":
        second = keys.sm2(issued.issuer_code)
        if second is None:
            raise FormNotOffered(
                "sm2_off",
                "颁发机构未启用国密（SM2）签名",
                "the issuing authority has no SM2 key: a second signature is not made",
            )
        return second.key_id, second.sign(issued.credential)
    signer = keys.signer(issued.issuer_code)
    said = orjson.loads(issued.credential)
    match form:
        case "jwt":
            body = jose.sign_vc(said, signer, created=now, certificates=keys.chain(issued.issuer_code))
        case "sd_jwt":
            if not issued.type.has_personal_items:
                raise FormNotOffered(
                    "sd_jwt_not_offered",
                    "此类证照不含个人信息，不提供 SD-JWT",
                    "licences of this type say nothing of natural persons: there is no SD-JWT of them",
                )
            unsecured = {name: value for name, value in said.items() if name != "proof"}
            pointers = build.disclosable(unsecured, issued.type)
            body = sd_jwt.issue(unsecured, pointers, signer, created=now).encode()
        case "pdf":
            body = document.make(
                issued.credential,
                issued.type,
                key=signer,
                chain=keys.chain(issued.issuer_code)[1:],
                verification_address=f"{base}/verify/{issued.identifier}",
                issuer_en=issued.issuer_en,
                at=now,
            )
        case "vc":
            raise LicenceUnknown(issued.identifier)
    return signer.key_id, body
