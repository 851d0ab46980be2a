"""Credentials as JSON Web Signatures in compact form (W3C Securing VCs using JOSE and COSE): ``typ`` vc+jwt, ES256.

The key decides the algorithm, never the token: what a header says of it is compared, not believed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from registry.credentials.jcs import DocumentRefused, canonical, parse_object
from registry.credentials.multibase import base64url, from_base64url
from registry.credentials.refusal import Refused
from registry.signing.signer import Signer

VC = "vc+jwt"
VP = "vp+jwt"

_ALGORITHMS = {
    "secp256r1": ("ES256", ec.ECDSA(hashes.SHA256()), 64),
    "secp384r1": ("ES384", ec.ECDSA(hashes.SHA384()), 96),
}
_BRINGS_ITS_OWN_KEY = ("jwk", "jku", "x5u")


class TokenRefused(Refused):
    """A token does not hold."""


@dataclass(frozen=True, slots=True)
class Token:
    """A compact JWS taken apart; nothing of it has been checked but its form."""

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def key_id(self) -> str:
        """The verification method that the header names; empty when it names none."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else ""


def sign_vc(
    document: Mapping[str, Any],
    signer: Signer,
    *,
    created: datetime,
    certificates: Sequence[x509.Certificate] = (),
    typ: str = VC,
) -> bytes:
    """The document (without a proof of another form) as a compact JWS; ``certificates``: the signer's and its chain."""
    payload = canonical({name: value for name, value in document.items() if name != "proof"})
    return sign(payload, vc_header(document, created, certificates), signer, typ)


def vc_header(
    document: Mapping[str, Any], created: datetime, certificates: Sequence[x509.Certificate]
) -> dict[str, Any]:
    """Who says so and since when: ``iss`` and ``iat`` stand in the header, the payload is the credential alone."""
    issuer = document.get("issuer", document.get("holder"))
    header: dict[str, Any] = {"cty": "vc", "iat": int(created.timestamp())}
    header["iss"] = issuer.get("id") if isinstance(issuer, Mapping) else issuer
    return header | ({"x5c": chain(certificates)} if certificates else {})


def sign(payload: bytes, header: Mapping[str, Any], signer: Signer, typ: str) -> bytes:
    """A compact JWS over ``payload``; the header says ``alg``, ``typ`` and ``kid`` besides what is given."""
    if signer.algorithm != "ES256":
        raise ValueError(f"tokens are signed with ES256, not with {signer.algorithm}")
    said = {"alg": signer.algorithm, "typ": typ, "kid": signer.verification_method, **header}
    signing_input = f"{base64url(canonical(said))}.{base64url(payload)}".encode()
    return signing_input + b"." + base64url(signer.sign(signing_input)).encode()


def chain(certificates: Sequence[x509.Certificate]) -> list[str]:
    """Certificates as the header ``x5c`` has them."""
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates]


def read(token: bytes) -> Token:
    """Take a compact JWS apart. Raises :class:`TokenRefused`: token_form, token_header."""
    try:
        parts = token.decode("ascii").split(".")
        if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
            _refuse("token_form", "不是 JWS 紧凑格式", f"{len(parts)} parts where a compact JWS has 3")
        header, payload, signature = (from_base64url(part) for part in parts)
    except ValueError as error:
        if isinstance(error, TokenRefused):
            raise
        _refuse("token_form", "不是 JWS 紧凑格式", f"not a compact JWS: {error}")
    try:
        said = parse_object(header)
    except DocumentRefused as error:
        _refuse("token_header", f"JWS 头部无法读取：{error.zh}", f"the header of the token: {error.en}")
    return Token(said, payload, f"{parts[0]}.{parts[1]}".encode(), signature)


def check(
    token: Token, key: ec.EllipticCurvePublicKey, *, types: Sequence[str], certificate: x509.Certificate | None = None
) -> None:
    """Check form and signature of a token with this key.

    ``types``: the values of ``typ`` that are right here. ``certificate``: the key's, which ``x5c`` must begin with when
    there is one. Raises :class:`TokenRefused`: token_type, critical_header, key_in_token, certificate_in_token,
    algorithm, token_signature.
    """
    check_type(token, types)
    _check_header(token.header, certificate)
    if key.curve.name not in _ALGORITHMS:
        _refuse("algorithm", "密钥的曲线不受支持", f"no algorithm for a key on {key.curve.name}")
    algorithm, ecdsa, size = _ALGORITHMS[key.curve.name]
    if token.header.get("alg") != algorithm:
        claimed = str(token.header.get("alg"))[:20]
        _refuse(
            "algorithm",
            f"算法应为 {algorithm}，实为 {claimed}",
            f"the key signs with {algorithm}, the token says {claimed}",
        )
    if len(token.signature) != size:
        _refuse("token_signature", "签名长度不对", f"{len(token.signature)} bytes of signature, not {size}")
    half = size // 2
    der = encode_dss_signature(int.from_bytes(token.signature[:half]), int.from_bytes(token.signature[half:]))
    try:
        key.verify(der, token.signing_input, ecdsa)
    except InvalidSignature:
        _refuse(
            "token_signature",
            "签名与内容不符：内容或签名被改动",
            "the signature does not fit: header, content or signature was changed",
        )


def check_type(token: Token, types: Sequence[str]) -> None:
    """Whether the token is of one of these types; ``application/`` may stand before them."""
    said = token.header.get("typ")
    plain = said.lower().removeprefix("application/") if isinstance(said, str) else None
    if plain not in types:
        _refuse("token_type", f"typ 应为 {types[0]}", f"typ is {str(said)[:40]!r} where {types[0]!r} is expected")


def _check_header(header: Mapping[str, Any], certificate: x509.Certificate | None) -> None:
    if "crit" in header or "b64" in header:
        _refuse(
            "critical_header",
            "JWS 头部要求本系统不支持的扩展",
            "the header asks for extensions (crit, b64) not known here",
        )
    own = [name for name in _BRINGS_ITS_OWN_KEY if name in header]
    if own:
        _refuse("key_in_token", f"JWS 头部自带密钥（{own[0]}），不予采信", f"the header brings its own key ({own[0]})")
    certificates = header.get("x5c")
    if certificates is None or certificate is None:
        return
    expected = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
    if not isinstance(certificates, list) or not certificates or certificates[0] != expected:
        _refuse(
            "certificate_in_token",
            "JWS 头部的证书不是签发机构的印章证书",
            "x5c does not begin with the seal certificate",
        )


def _refuse(code: str, zh: str, en: str) -> NoReturn:
    raise TokenRefused(code, zh, en)
