"""Multibase texts: ``z`` base58btc (keys and proofs), ``u`` base64url without padding (status lists)."""

from __future__ import annotations

import base64
import binascii
import re

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
_MAX_BASE58 = 256
"""Characters: the longest text of a key or signature has 141."""


def base58(data: bytes) -> str:
    """Base58btc, without the prefix."""
    number = int.from_bytes(data)
    digits: list[str] = []
    while number:
        number, rest = divmod(number, 58**10)  # ten digits at a time: long division is what costs
        for _ in range(5):
            rest, pair = divmod(rest, 3364)
            digits.append(_PAIRS[pair])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits)).lstrip("1")


def from_base58(text: str) -> bytes:
    """The bytes of a base58btc text; ValueError for foreign characters or a text too long for a key or signature."""
    if len(text) > _MAX_BASE58:
        raise ValueError("longer than any key or signature")
    number = 0
    try:
        for start in range(0, len(text), 10):
            chunk = 0
            for character in text[start : start + 10]:
                chunk = chunk * 58 + _VALUES[character]
            number = number * 58 ** min(10, len(text) - start) + chunk
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is not of the base58btc alphabet") from None
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of a base64url text without padding; ValueError when it is anything else, spare bits included."""
    if not _BASE64URL.match(text) or len(text) % 4 == 1:
        raise ValueError("not base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if text and base64url(data[-(len(data) % 3 or 3) :])[-1] != text[-1]:
        raise ValueError("base64url with spare bits set")  # two texts of the same bytes would both verify
    return data
