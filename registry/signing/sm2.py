"""Signatures with SM2 and SM3 (GB/T 32918.2), the state's cryptography: a second, detached signature beside P-256.

The curve comes from the package ``gmalg`` (the extra ``sm2``), which is written in Python: some 15 ms a signature. The
signature is DER, ``SEQUENCE { r, s }`` (GB/T 35276), as the openssl command reads it.
"""

from __future__ import annotations

import base64
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from registry.signing.p256 import thumbprint

ALGORITHM = "SM2-SM3"
SIGNER_ID = b"1234567812345678"
"""The signer's distinguishing id where none is agreed on (GB/T 35276)."""
_COORDINATE = 32  # bytes
_PUBLIC_KEY_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""SubjectPublicKeyInfo of a key on SM2's curve (1.2.156.10197.1.301), up to the point."""


class Sm2Missing(Exception):  # noqa: N818
    """The library that knows SM2 is not installed."""

    def __init__(self) -> None:
        super().__init__("未安装 SM2 组件 SM2 needs the package gmalg: install shuqiao[sm2], or unset SHUQIAO_SM2")


class Sm2Signer:
    """Signs with one SM2 key."""

    algorithm = ALGORITHM

    def __init__(self, private_key: bytes, verification_method: str) -> None:
        """``private_key`` is the 32 bytes of the number. Raises Sm2Missing."""
        self._curve = _gmalg().SM2(sk=private_key, uid=SIGNER_ID)
        self.public_key = public_bytes(self._curve.generate_pk(private_key))
        self.key_id = key_id(self.public_key[len(_PUBLIC_KEY_HEAD) :])
        self.verification_method = verification_method

    def __repr__(self) -> str:
        return f"Sm2Signer({self.verification_method!r})"

    def sign(self, data: bytes) -> bytes:
        """DER of r and s, over SM3 of the signer's id, the key and ``data``."""
        r, s = self._curve.sign(data)
        return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def verifies(signature: bytes, data: bytes, public_key: bytes) -> bool:
    """Whether ``signature`` (DER) is by the key whose SubjectPublicKeyInfo is given. Raises Sm2Missing."""
    try:
        r, s = decode_dss_signature(signature)
        curve = _gmalg().SM2(uid=SIGNER_ID, pk=public_key.removeprefix(_PUBLIC_KEY_HEAD))
        return bool(curve.verify(data, r.to_bytes(_COORDINATE), s.to_bytes(_COORDINATE)))
    except (ValueError, OverflowError):
        return False


def new_key() -> tuple[bytes, bytes]:
    """A private key (32 bytes) and its public point (04, x, y); its id can be typed. Raises Sm2Missing."""
    while True:
        private, public = _gmalg().SM2().generate_keypair()
        if not key_id(public).startswith("-"):
            return private.rjust(_COORDINATE, b"\0"), public


def public_bytes(point: bytes) -> bytes:
    """SubjectPublicKeyInfo (DER) of a point."""
    return _PUBLIC_KEY_HEAD + point


def key_id(point: bytes) -> str:
    """An id made as for other EC keys (RFC 7638), the curve named ``SM2``."""
    x, y = point[1 : 1 + _COORDINATE], point[1 + _COORDINATE :]
    return thumbprint({"crv": "SM2", "kty": "EC", "x": _base64url(x), "y": _base64url(y)})


def _base64url(coordinate: bytes) -> str:
    return base64.urlsafe_b64encode(coordinate).rstrip(b"=").decode()


def _gmalg() -> Any:
    try:
        return import_module("gmalg")
    except ModuleNotFoundError:
        raise Sm2Missing from None
