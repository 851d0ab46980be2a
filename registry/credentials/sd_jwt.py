"""SD-JWT (RFC 9901): a token whose holder decides which of some members to show.

The signed part has digests where those members were; each disclosure, kept behind a ``~``, is a member with a random
salt. Without its disclosure a digest says nothing. There is no key binding: who shows a licence is not asked.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from registry.credentials import jose
from registry.credentials.jcs import MAX_DEPTH, DocumentRefused, canonical, parse, parse_object
from registry.credentials.jose import Token, TokenRefused
from registry.credentials.multibase import base64url, from_base64url
from registry.signing.signer import Signer

TYPE = "vc+sd-jwt"
DIGEST = "sha-256"
MAX_DISCLOSURES = 1000

_DIGESTS = "_sd"
_PLACEHOLDER = "..."
_ALGORITHM = "_sd_alg"
_SALT_BYTES = 16
_OF_A_MEMBER = 3
_OF_AN_ELEMENT = 2


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What an SD-JWT shows."""

    payload: dict[str, Any]
    undisclosed: int
    """How many members were kept back (decoys, if its issuer uses them, count too)."""


def issue(
    document: Mapping[str, Any],
    pointers: Iterable[str],
    signer: Signer,
    *,
    created: datetime,
    certificates: Sequence[x509.Certificate] = (),
) -> str:
    """The document as SD-JWT in which the members at these JSON Pointers can be kept back.

    Only members of the subject can be: what a verifier needs to judge a credential stays in the open. Raises ValueError
    for a pointer elsewhere or to nothing.
    """
    payload = deepcopy({name: value for name, value in document.items() if name != "proof"})
    if _has_reserved(payload):
        raise ValueError("the document uses names that SD-JWT keeps for itself (_sd, _sd_alg, ...)")
    disclosures = []
    for pointer in sorted(set(pointers), key=lambda one: (-one.count("/"), one)):  # the innermost first
        disclosure = _take_out(payload, pointer)
        disclosures.append(disclosure)
    payload[_ALGORITHM] = DIGEST
    header = jose.vc_header(document, created, certificates)
    token = jose.sign(canonical(payload), header, signer, TYPE).decode()
    return "~".join([token, *disclosures, ""])


def _take_out(payload: dict[str, Any], pointer: str) -> str:
    """Put a digest where a member or an element is; its disclosure."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]
    if parts[:2] != ["", "credentialSubject"] or len(parts) < 3:  # noqa: PLR2004 - a member of the subject
        raise ValueError(f"{pointer!r} is not a member of the subject")
    place: Any = payload
    try:
        for part in parts[1:-1]:
            place = place[int(part)] if isinstance(place, list) else place[part]
        name = parts[-1]
        if isinstance(place, list):
            disclosure = _disclosure([place[int(name)]])
            place[int(name)] = {_PLACEHOLDER: _digest(disclosure)}
        else:
            disclosure = _disclosure([name, place.pop(name)])
            place[_DIGESTS] = sorted([*place.get(_DIGESTS, ()), _digest(disclosure)])  # sorted: the order tells nothing
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise ValueError(f"there is nothing at {pointer!r}") from None
    return disclosure


def _disclosure(said: list[Any]) -> str:
    return base64url(orjson.dumps([base64url(secrets.token_bytes(_SALT_BYTES)), *said]))


def _digest(disclosure: str) -> str:
    return base64url(hashlib.sha256(disclosure.encode()).digest())


@dataclass(frozen=True, slots=True)
class SdJwt:
    """An SD-JWT taken apart; nothing of it has been checked but its form."""

    token: Token
    disclosures: tuple[str, ...]


def read(text: bytes) -> SdJwt:
    """Take an SD-JWT apart.

    Raises :class:`TokenRefused`: token_form, token_header, key_binding, too_many_disclosures.
    """
    first, *rest = text.split(b"~")
    if not rest:
        _refuse("token_form", "不是 SD-JWT", "not an SD-JWT: there is no ~")
    if rest[-1]:
        _refuse("key_binding", "带有持有人绑定，凭证未载明持有人密钥", "a key binding (KB-JWT) to no holder's key")
    if len(rest) - 1 > MAX_DISCLOSURES:
        _refuse("too_many_disclosures", "披露项过多", f"more than {MAX_DISCLOSURES} disclosures")
    try:
        return SdJwt(jose.read(first), tuple(one.decode("ascii") for one in rest[:-1]))
    except UnicodeDecodeError:
        _refuse("token_form", "不是 SD-JWT", "not an SD-JWT")


def check(sd_jwt: SdJwt, key: ec.EllipticCurvePublicKey, *, certificate: x509.Certificate | None = None) -> Disclosed:
    """Check the signature with this key, then put each disclosure where its digest is.

    Raises :class:`TokenRefused`: those of :func:`registry.credentials.jose.check`, and those of :func:`disclose`.
    """
    jose.check(sd_jwt.token, key, types=(TYPE,), certificate=certificate)
    return disclose(sd_jwt)


def disclose(sd_jwt: SdJwt) -> Disclosed:
    """What the disclosures show, the signature unchecked.

    Raises :class:`TokenRefused`: payload, digest_algorithm, disclosure_malformed, disclosure_twice, digest_twice,
    disclosure_name, disclosure_unused, too_deep.
    """
    work = _disclosing(sd_jwt)
    return Disclosed(work.shown, work.undisclosed)


def _disclosing(sd_jwt: SdJwt) -> _Disclosing:
    payload = _payload(sd_jwt.token)
    if payload.pop(_ALGORITHM, DIGEST) != DIGEST:
        _refuse("digest_algorithm", f"披露摘要算法不是 {DIGEST}", f"the digests of disclosures are not {DIGEST}")
    digests = {_digest(one): one for one in sd_jwt.disclosures}
    if len(digests) != len(sd_jwt.disclosures):
        _refuse("disclosure_twice", "同一披露项重复出现", "a disclosure is given twice")
    work = _Disclosing({digest: _said(one) for digest, one in digests.items()})
    work.shown = work.of_object(payload, "")
    if work.said:
        _refuse("disclosure_unused", "有不属于该凭证的披露项", "a disclosure that the signed part has no digest of")
    return work


def _payload(token: Token) -> dict[str, Any]:
    try:
        return parse_object(token.payload)
    except DocumentRefused as error:
        _refuse("payload", f"内容无法读取：{error.zh}", f"the payload cannot be read: {error.en}")


def _said(disclosure: str) -> list[Any]:
    """Salt and value, or salt, name and value."""
    try:
        said = parse(from_base64url(disclosure))
    except (ValueError, DocumentRefused) as error:
        _refuse("disclosure_malformed", "披露项无法读取", f"a disclosure cannot be read: {error}")
    if not isinstance(said, list) or len(said) not in {_OF_AN_ELEMENT, _OF_A_MEMBER} or not isinstance(said[0], str):
        _refuse("disclosure_malformed", "披露项无法读取", "a disclosure is not of salt, name and value")
    if len(said) == _OF_A_MEMBER and (not isinstance(said[1], str) or said[1] in {_DIGESTS, _PLACEHOLDER}):
        _refuse("disclosure_name", "披露项的名称不合规定", "a disclosure has a name that it may not have")
    return said


@dataclass(slots=True)
class _Disclosing:
    """The way through the payload (RFC 9901, 7.1)."""

    said: dict[str, list[Any]]
    """Disclosures not yet placed, by digest."""
    places: dict[str, str] = field(default_factory=dict)
    """JSON Pointer to where each placed disclosure belongs in the whole document, by digest."""
    seen: set[str] = field(default_factory=set)
    undisclosed: int = 0
    shown: dict[str, Any] = field(default_factory=dict)

    def value(self, value: Any, pointer: str) -> Any:
        if pointer.count("/") > MAX_DEPTH:  # disclosures within disclosures
            _refuse("too_deep", f"嵌套超过 {MAX_DEPTH} 层", f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, dict):
            return self.of_object(value, pointer)
        return self.of_list(value, pointer) if isinstance(value, list) else value

    def of_object(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        if _PLACEHOLDER in value:
            _refuse("disclosure_name", "披露项的名称不合规定", "a placeholder where a member is expected")
        shown = {
            name: self.value(member, f"{pointer}/{_escaped(name)}")
            for name, member in value.items()
            if name != _DIGESTS
        }
        digests: Any = value.get(_DIGESTS, [])
        if not isinstance(digests, list):
            _refuse("disclosure_malformed", "披露摘要不是数组", "the digests of disclosures are not a list")
        for digest in digests:
            said = self._find(digest, _OF_A_MEMBER)
            if said is None:
                continue
            name = said[1]
            if name in shown:
                _refuse("disclosure_name", "披露项与已有内容同名", "a disclosure is named like a member there")
            self.places[digest] = f"{pointer}/{_escaped(name)}"
            shown[name] = self.value(said[2], self.places[digest])
        return shown

    def of_list(self, values: list[Any], pointer: str) -> list[Any]:
        shown = []
        for number, value in enumerate(values):
            place = f"{pointer}/{number}"
            if not isinstance(value, dict) or _PLACEHOLDER not in value:
                shown.append(self.value(value, place))
                continue
            if len(value) != 1:
                _refuse("disclosure_malformed", "披露占位有多余内容", "a placeholder says more than its digest")
            said = self._find(value[_PLACEHOLDER], _OF_AN_ELEMENT)
            if said is not None:
                self.places[value[_PLACEHOLDER]] = place
                shown.append(self.value(said[1], place))
        return shown

    def _find(self, digest: Any, size: int) -> list[Any] | None:
        if not isinstance(digest, str):
            _refuse("disclosure_malformed", "披露摘要不是文本", "a digest of a disclosure is not a text")
        if digest in self.seen:
            _refuse("digest_twice", "同一披露摘要重复出现", "a digest of a disclosure is there twice")
        self.seen.add(digest)
        said = self.said.pop(digest, None)
        if said is None:
            self.undisclosed += 1
        elif len(said) != size:
            _refuse("disclosure_malformed", "披露项与其位置不符", "a disclosure is not of its place's kind")
        return said


def present(text: str, keep: Iterable[str]) -> str:
    """The SD-JWT with only those disclosures that show the members at these JSON Pointers, or what is around them.

    Raises ValueError for a pointer that no disclosure shows, and :class:`TokenRefused` for what is no SD-JWT.
    """
    sd_jwt = read(text.encode())
    work = _disclosing(sd_jwt)
    shows = {one: work.places[_digest(one)] for one in sd_jwt.disclosures}
    wanted = set(keep)
    unknown = wanted - set(shows.values())
    if unknown:
        raise ValueError(f"no disclosure shows {', '.join(sorted(unknown))}")
    kept = [one for one, place in shows.items() if any(f"{want}/".startswith(f"{place}/") for want in wanted)]
    return "~".join([text.split("~", 1)[0], *kept, ""])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _has_reserved(value: Any) -> bool:
    if isinstance(value, dict):
        reserved = {_DIGESTS, _PLACEHOLDER, _ALGORITHM} & value.keys()
        return bool(reserved) or any(_has_reserved(member) for member in value.values())
    return isinstance(value, list) and any(_has_reserved(member) for member in value)


def _refuse(code: str, zh: str, en: str) -> NoReturn:
    raise TokenRefused(code, zh, en)
