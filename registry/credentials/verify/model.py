"""The rules of the VC 2.0 data model that a document can be held against by looking at it alone.

Each function is one check: it returns, or raises CheckFailed with its reason. They assume nothing about the members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from registry.credentials.moments import moment_of
from registry.credentials.verify.verdict import CheckFailed

CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
CREDENTIAL = "VerifiableCredential"
PRESENTATION = "VerifiablePresentation"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,10}", re.ASCII)
"""A language tag (BCP 47) by its form."""
_LANGUAGE_MEMBERS = {"@value", "@language", "@direction"}
_TYPED = ("credentialStatus", "credentialSchema", "evidence", "termsOfUse", "refreshService", "renderMethod")
"""Members whose objects each must have a type."""
_WITH_ID = ("credentialSchema",)


def is_url(text: object) -> bool:
    """Whether a value is a URL (any scheme) as the data model wants it."""
    return isinstance(text, str) and _URL.fullmatch(text) is not None


def many(value: Any) -> list[Any]:
    """A member that may be one thing or several, as several."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def types_of(document: Mapping[str, Any]) -> list[Any]:
    """The types of an object, however they are written."""
    return many(document.get("type"))


def id_of(value: Any) -> str | None:
    """The id of a member that is a URL or an object with one."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else None


def check_context(document: Mapping[str, Any]) -> None:
    """``@context`` is an ordered set that begins with the VC 2.0 context, each a URL or an object."""
    contexts = document.get("@context")
    if contexts is None:
        _fail("context_missing", "缺少 @context", "there is no @context")
    if not isinstance(contexts, list):
        _fail("context_not_a_list", "@context 应为数组", "@context is not an ordered set (an array)")
    if not contexts or contexts[0] != CREDENTIALS_V2:
        _fail("context_first", f"@context 第一项应为 {CREDENTIALS_V2}", f"the first @context is not {CREDENTIALS_V2}")
    if not all(is_url(one) or isinstance(one, dict) for one in contexts):
        _fail("context_entry", "@context 的各项应为网址或对象", "an entry of @context is neither a URL nor an object")


def check_context_of_envelope(document: Mapping[str, Any]) -> None:
    """An envelope's ``@context`` may be one text too: VC 2.0 (4.12, 4.13) asks only that it names the VC context."""
    if document.get("@context") != CREDENTIALS_V2:
        check_context(document)


def check_types(document: Mapping[str, Any], expected: str) -> None:
    """``type`` names the expected type, and all its values are texts."""
    types = types_of(document)
    if not types:
        _fail("type_missing", "缺少 type", "there is no type")
    if not all(isinstance(one, str) and one for one in types):
        _fail("type_malformed", "type 的各项应为文本", "a value of type is not a text")
    if expected not in types:
        _fail("type_wrong", f"type 中没有 {expected}", f"type does not name {expected}")


def check_id(document: Mapping[str, Any]) -> None:
    """``id`` is optional; given, it is one URL."""
    if "id" in document and not is_url(document["id"]):
        _fail("id_not_a_url", "id 应为一个网址", "id is not a single URL")


def check_issuer(document: Mapping[str, Any]) -> None:
    """``issuer`` is a URL, or an object whose id is one."""
    issuer = document.get("issuer")
    if issuer is None:
        _fail("issuer_missing", "缺少签发者（issuer）", "there is no issuer")
    if not is_url(id_of(issuer)):
        _fail(
            "issuer_malformed",
            "签发者（issuer）应为网址，或带有网址 id 的对象",
            "issuer is not a URL nor an object with one",
        )
    if isinstance(issuer, dict):
        _check_language(issuer, "issuer")


def check_texts(document: Mapping[str, Any]) -> None:
    """``name`` and ``description`` are texts, or language value objects."""
    _check_language(document, "credential")


def check_subject(document: Mapping[str, Any]) -> None:
    """``credentialSubject`` has one or more objects that say something; an id, if given, is a URL."""
    subjects = many(document.get("credentialSubject"))
    if not subjects:
        _fail("subject_missing", "缺少 credentialSubject", "there is no credentialSubject")
    for subject in subjects:
        if not isinstance(subject, dict) or not subject:
            _fail(
                "subject_malformed",
                "credentialSubject 应为有内容的对象",
                "credentialSubject is not an object with claims",
            )
        if "id" in subject and not is_url(subject["id"]):
            _fail("subject_id", "credentialSubject 的 id 应为网址", "the id of credentialSubject is not a URL")


def check_dates(document: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """``validFrom`` and ``validUntil`` are moments with a zone, in this order; they are returned."""
    begin, end = (_moment(document, name) for name in ("validFrom", "validUntil"))
    if begin is not None and end is not None and end < begin:
        _fail("dates_order", "有效期截止早于起始", "validUntil is before validFrom")
    return begin, end


def check_members(document: Mapping[str, Any]) -> None:
    """Objects of status, schema, evidence, terms of use and so on have a type; ids are URLs; no JSON null."""
    for name in _TYPED:
        for one in many(document.get(name)):
            if not isinstance(one, dict) or not types_of(one):
                _fail("member_without_type", f"{name} 的对象缺少 type", f"an object of {name} has no type")
            if "id" in one and not is_url(one["id"]):
                _fail("member_id", f"{name} 的 id 应为网址", f"the id of {name} is not a URL")
            if name in _WITH_ID and "id" not in one:
                _fail("member_id", f"{name} 缺少 id", f"an object of {name} has no id")


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    text = document.get(name)
    if name not in document:
        return None
    try:
        return moment_of(text) if isinstance(text, str) else _not_a_moment(name)
    except ValueError:
        _not_a_moment(name)


def _not_a_moment(name: str) -> NoReturn:
    _fail("date_malformed", f"{name} 应为带时区的日期时间", f"{name} is not a date and time with a zone")


def _check_language(holder: Mapping[str, Any], where: str) -> None:
    for name in ("name", "description"):
        for one in many(holder.get(name)):
            if isinstance(one, str):
                continue
            if not _is_language_value(one):
                _fail("text_malformed", f"{where} 的 {name} 应为文本", f"{name} of the {where} is not a text")


def _is_language_value(value: object) -> bool:
    """A text with its language and direction."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("@value"), str)
        and set(value) <= _LANGUAGE_MEMBERS
        and _LANGUAGE.fullmatch(str(value.get("@language", "zh"))) is not None
        and value.get("@direction", "ltr") in ("ltr", "rtl")
    )


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
