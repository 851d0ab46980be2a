"""What the status lists say of a credential, and whether the lists themselves can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from registry.credentials import status_list
from registry.credentials.data_integrity import ASSERTION, check_proof
from registry.credentials.jcs import DocumentRefused, parse_object
from registry.credentials.refusal import Refused
from registry.credentials.trust_list import CLOCKS, TrustList
from registry.credentials.verify import model, signing
from registry.credentials.verify.sources import FetchedList, StatusSource
from registry.credentials.verify.verdict import CheckFailed

ENTRY = "BitstringStatusListEntry"
LIST = "BitstringStatusListCredential"
CONTENT = "BitstringStatusList"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one aspect of a credential's state is to be read."""

    purpose: str
    index: int
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at an entry."""

    value: int
    as_of: datetime
    """When the list was fetched."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A list whose form and signature held; whether it is current is asked each time."""

    body: bytes
    issuer: str
    purposes: tuple[str, ...]
    bits: bytes
    valid_from: datetime | None
    valid_until: datetime | None


def entries_of(document: Mapping[str, Any]) -> list[Entry]:
    """The status entries of a credential. Raises CheckFailed: status_malformed, status_type, status_messages."""
    return [_entry(one) for one in model.many(document.get("credentialStatus"))]


def _entry(said: Any) -> Entry:
    if not isinstance(said, dict):
        _fail("status_malformed", "credentialStatus 应为对象", "credentialStatus is not an object")
    if ENTRY not in model.types_of(said):
        _fail("status_type", f"credentialStatus 的类型不是 {ENTRY}", f"the type of credentialStatus is not {ENTRY}")
    purpose, url, index = (said.get(name) for name in ("statusPurpose", "statusListCredential", "statusListIndex"))
    size = said.get("statusSize", 1)
    if not isinstance(purpose, str) or not isinstance(url, str) or not model.is_url(url):
        _fail("status_malformed", "credentialStatus 缺少用途或列表地址", "credentialStatus lacks its purpose or list")
    if not isinstance(index, str) or not (index.isascii() and index.isdigit()) or len(index) > 9:  # noqa: PLR2004
        _fail("status_malformed", "statusListIndex 应为非负整数文本", "statusListIndex is not the text of an integer")
    if type(size) is not int or not 1 <= size <= 8:  # noqa: PLR2004 - bits; more would be no list of states
        _fail("status_malformed", "statusSize 应为 1 至 8 的整数", "statusSize is not an integer from 1 to 8")
    if size > 1 and len(model.many(said.get("statusMessage"))) != 1 << size:
        many = 1 << size
        _fail("status_messages", f"statusMessage 应有 {many} 项", f"statusMessage has not all {many} messages")
    return Entry(purpose, int(index), size, url)


def read(entry: Entry, issuer: str, trust: TrustList, statuses: StatusSource, at: datetime) -> Reading:
    """What the list says at an entry of this issuer's credential.

    Raises CheckFailed: list_unavailable, list_unreadable, list_type, list_id, list_issuer, list_purpose, list_replayed,
    list_not_yet_valid, list_expired, list_encoding, list_too_small, list_index, and the reasons of a wrong signature
    with ``list_`` before them.
    """
    fetched = statuses.status_list(entry.url)
    if fetched is None:
        _fail("list_unavailable", "状态列表无法取得", "the status list cannot be had")
    known = trust.remembered.get(("list", entry.url))
    if not isinstance(known, _Checked) or known.body != fetched.body or known.issuer != issuer:
        known = _check(entry.url, fetched.body, issuer, trust, at)
        trust.remembered["list", entry.url] = known
    _check_current(known, fetched, at)
    if entry.purpose not in known.purposes:
        zh = f"状态列表的用途不是 {entry.purpose}"
        _fail("list_purpose", zh, f"the status list is not one of {entry.purpose}")
    if len(known.bits) * 8 // entry.size < status_list.MIN_ENTRIES:
        _fail("list_too_small", "状态列表少于 131072 项", "the status list has fewer than 131,072 entries")
    try:
        return Reading(status_list.get(known.bits, entry.index, entry.size), fetched.fetched_at)
    except IndexError:
        _fail("list_index", "状态序号超出列表", "the status index lies outside the list")


def edition_of(url: str, body: bytes, trust: TrustList, at: datetime) -> datetime | None:
    """When the edition begins that was published at an address, its form and signature checked; for who keeps lists.

    Raises CheckFailed: those of :func:`read` that are not about an entry nor about its being current.
    """
    try:
        issuer = model.id_of(parse_object(body).get("issuer")) or ""
    except DocumentRefused as error:
        _fail("list_unreadable", f"状态列表无法读取：{error.zh}", f"the status list cannot be read: {error.en}")
    known = _check(url, body, issuer, trust, at)
    trust.remembered["list", url] = known
    return known.valid_from


def _check(url: str, body: bytes, issuer: str, trust: TrustList, at: datetime) -> _Checked:
    try:
        document = parse_object(body)
    except DocumentRefused as error:
        _fail("list_unreadable", f"状态列表无法读取：{error.zh}", f"the status list cannot be read: {error.en}")
    try:
        model.check_context(document)
        model.check_types(document, model.CREDENTIAL)
        valid_from, valid_until = model.check_dates(document)
        subject = _subject(document)
        if document.get("id") != url:
            _fail("id", "它是另一地址的列表", "it is the list of another address")
        if model.id_of(document.get("issuer")) != issuer:
            _fail("issuer", "它不是该证照签发者的列表", "it is not a list of the credential's issuer")
        _check_signature(document, issuer, trust, at)
        bits = status_list.decode(str(subject.get("encodedList")))
    except Refused as error:
        code = f"list_{error.code.removeprefix('list_')}"
        _fail(code, f"状态列表：{error.zh}", f"the status list: {error.en}")
    purposes = tuple(one for one in model.many(subject.get("statusPurpose")) if isinstance(one, str))
    return _Checked(body, issuer, purposes, bits, valid_from, valid_until)


def _subject(document: Mapping[str, Any]) -> Mapping[str, Any]:
    subject = document.get("credentialSubject")
    if LIST not in model.types_of(document) or not isinstance(subject, dict) or CONTENT not in model.types_of(subject):
        _fail("type", f"它不是 {LIST}", f"it is no {LIST}")
    return subject


def _check_signature(document: Mapping[str, Any], issuer: str, trust: TrustList, at: datetime) -> None:
    for proof in signing.proofs_of(document):
        signature = signing.read_proof(proof, ASSERTION)
        signing.check_time(signature, at)
        trusted, key = signing.check_owner(trust, issuer, signature.method)
        assert signature.created is not None  # noqa: S101 - check_time asked
        trust.check_key(key, trusted, signature.created)
        check_proof(document, key.public_key, signature.proof)


def _check_current(known: _Checked, fetched: FetchedList, at: datetime) -> None:
    if known.valid_from is not None and known.valid_from > at + CLOCKS:
        when = known.valid_from.isoformat()
        _fail("list_not_yet_valid", f"状态列表自 {when} 起有效", f"the status list holds only from {when}")
    if known.valid_until is not None and known.valid_until < at:
        when = known.valid_until.isoformat()
        _fail(
            "list_expired", f"状态列表已于 {when} 到期，请重新获取", f"the status list expired at {when}: fetch it anew"
        )
    newest = fetched.newest_seen
    if newest is not None and (known.valid_from is None or known.valid_from < newest):
        zh = f"状态列表早于此前见过的 {newest.isoformat()} 版本，可能是旧列表重放"
        _fail("list_replayed", zh, f"the status list is older than one already seen ({newest.isoformat()}): a replay")


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
