"""Published documents that a credential refers to: digests of related resources, and the schema it must fit.

Nothing is fetched: they come with the trust list. What is not at hand is said to be so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import jsonschema_rs

from registry.credentials.build import digest_sri
from registry.credentials.jcs import parse
from registry.credentials.multibase import from_base58, from_base64url
from registry.credentials.trust_list import TrustList
from registry.credentials.verify.model import is_url, many
from registry.credentials.verify.verdict import CheckFailed

_ALGORITHMS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_MULTIHASHES = {b"\x12\x20": hashlib.sha256, b"\x20\x30": hashlib.sha384, b"\x13\x40": hashlib.sha512}
_SHOWN = 120


class NotAtHand(Exception):  # noqa: N818
    """A check that needs a document which is not at hand."""


def check_digests(document: Mapping[str, Any], trust: TrustList) -> list[str]:
    """Compare the digests of ``relatedResource`` with the documents at hand; the addresses not at hand.

    Raises CheckFailed: resource_malformed, resource_twice, resource_digest_missing, resource_digest.
    """
    resources = many(document.get("relatedResource"))
    addresses = [_address(one) for one in resources]
    if len(set(addresses)) != len(addresses):
        _fail("resource_twice", "relatedResource 中同一文件重复出现", "relatedResource names a resource twice")
    missing = []
    for address, said in zip(addresses, resources, strict=True):
        digests = _digests(said)
        if address not in trust.resources:
            missing.append(address)
        elif not all(_is_digest(trust, address, digest) for digest in digests):
            _fail("resource_digest", f"引用的文件与摘要不符：{address}", f"the digest of {address} is another")
    return missing


def _address(said: Any) -> str:
    if not isinstance(said, dict) or not is_url(said.get("id")):
        _fail(
            "resource_malformed", "relatedResource 应为带网址 id 的对象", "relatedResource is not an object with a URL"
        )
    return str(said["id"])


def _digests(said: Mapping[str, Any]) -> list[tuple[str, Any]]:
    digests = [(name, said[name]) for name in ("digestSRI", "digestMultibase") if name in said]
    if not digests:
        _fail("resource_digest_missing", "relatedResource 没有摘要", "a related resource has no digest")
    return digests


def _is_digest(trust: TrustList, address: str, digest: tuple[str, Any]) -> bool:
    name, text = digest
    if not isinstance(text, str):
        return False
    if name == "digestSRI":
        return text == _usual_digest(trust, address) or _sri_matches(text, trust.resources[address])
    return _multibase_matches(text, trust.resources[address])


def _usual_digest(trust: TrustList, address: str) -> str:
    known = trust.remembered.get(("digest", address))
    if known is None:
        known = trust.remembered["digest", address] = digest_sri(trust.resources[address])
    return str(known)


def _sri_matches(text: str, data: bytes) -> bool:
    """Of several digests the strongest kind counts, as Subresource Integrity has it."""
    given = [one.partition("?")[0].partition("-") for one in text.split()]
    known = [(name, value) for name, _, value in given if name in _ALGORITHMS]
    if not known:
        return False
    strongest = max(name for name, _ in known)
    right = base64.b64encode(_ALGORITHMS[strongest](data).digest()).decode()
    return any(name == strongest and value == right for name, value in known)


def _multibase_matches(text: str, data: bytes) -> bool:
    try:
        value = {"z": from_base58, "u": from_base64url}[text[:1]](text[1:])
        return _MULTIHASHES[value[:2]](data).digest() == value[2:]
    except (KeyError, ValueError):
        return False


def check_schema(document: Mapping[str, Any], trust: TrustList, *, undisclosed: int = 0) -> None:
    """Whether the credential fits each of its JSON Schemas; what was kept back is not missed.

    Raises CheckFailed (schema), and NotAtHand when a schema is not there or of a kind unknown here.
    """
    for said in many(document.get("credentialSchema")):
        address = said.get("id") if isinstance(said, dict) and said.get("type") == "JsonSchema" else None
        if not isinstance(address, str) or address not in trust.resources:
            raise NotAtHand(str(said.get("id") if isinstance(said, dict) else said)[:_SHOWN])
        validator = _validator(trust, address)
        try:
            validator.validate(document)
        except jsonschema_rs.ValidationError as first:
            error = _error(validator.iter_errors(document)) if undisclosed else first
        else:
            error = None
        if error is not None:
            pointer = "".join(f"/{part}" for part in error.instance_path)
            _fail("schema", f"内容不符合证照类型的规定：{pointer}", f"does not fit the schema at {pointer or '/'}")


def _error(errors: Iterable[jsonschema_rs.ValidationError]) -> jsonschema_rs.ValidationError | None:
    """The first that is more than something missing."""
    return next((one for one in errors if one.kind.name != "required"), None)


def _validator(trust: TrustList, address: str) -> jsonschema_rs.Draft202012Validator:
    known = trust.remembered.get(("schema", address))
    if known is None:
        known = jsonschema_rs.Draft202012Validator(parse(trust.resources[address]), retriever=_nothing_is_fetched)
        trust.remembered["schema", address] = known
    assert isinstance(known, jsonschema_rs.Draft202012Validator)  # noqa: S101 - only this function writes there
    return known


def _nothing_is_fetched(address: str) -> NoReturn:
    raise ValueError(f"{address} is not at hand")


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
