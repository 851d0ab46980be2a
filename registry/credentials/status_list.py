"""Bitstring Status Lists (W3C, v1.0): one signed list says the state of up to a hundred thousand credentials.

Entry 0 is at the most significant end of the first byte. Entries may have more than one bit (``size``).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NoReturn

from registry.credentials.data_integrity import add_proof
from registry.credentials.jcs import canonical
from registry.credentials.moments import text_of
from registry.credentials.multibase import base64url, from_base64url
from registry.credentials.refusal import Refused
from registry.signing.signer import Signer

CONTEXT = "https://www.w3.org/ns/credentials/v2"
MIN_ENTRIES = 131_072
"""What the specification asks for, so that nobody is singled out by the entry that was asked for."""
MAX_BYTES = 8 * 1024 * 1024
"""Unpacked; a list that claims more is refused before it fills the memory."""
TTL = 60_000
"""Milliseconds for which a copy may be used without asking again."""
UNUSED = "保留 / reserved"
"""What is said of a value that means nothing yet: the specification wants a message for every value."""
Purpose = Literal["revocation", "suspension", "message"]
SIZES: Mapping[Purpose, int] = {"revocation": 1, "suspension": 1, "message": 4}
"""Bits an entry takes, by purpose."""


class ListRefused(Refused):
    """An encoded list cannot be used."""


def empty(entries: int = MIN_ENTRIES, size: int = 1) -> bytearray:
    """A list of zeros."""
    return bytearray((entries * size + 7) // 8)


def get(bits: bytes | bytearray, index: int, size: int) -> int:
    """The value of one entry; IndexError outside the list."""
    first = index * size
    last = first + size - 1
    if index < 0 or last >= len(bits) * 8:
        raise IndexError(f"entry {index} of a list with {len(bits) * 8 // size}")
    window = int.from_bytes(bits[first // 8 : last // 8 + 1])
    return (window >> (7 - last % 8)) & ((1 << size) - 1)


def set_value(bits: bytearray, index: int, size: int, value: int) -> None:
    """Set one entry; IndexError outside the list, ValueError for a value that does not fit."""
    if not 0 <= value < 1 << size:
        raise ValueError(f"{value} does not fit {size} bits")
    first = index * size
    last = first + size - 1
    if index < 0 or last >= len(bits) * 8:
        raise IndexError(f"entry {index} of a list with {len(bits) * 8 // size}")
    start, stop, shift = first // 8, last // 8 + 1, 7 - last % 8
    window = int.from_bytes(bits[start:stop])
    window = window & ~(((1 << size) - 1) << shift) | value << shift
    bits[start:stop] = window.to_bytes(stop - start)


def encode(bits: bytes | bytearray) -> str:
    """``u`` and the base64url of the gzipped list; equal lists give equal texts."""
    return "u" + base64url(gzip.compress(bits, compresslevel=6, mtime=0))


def decode(text: str) -> bytes:
    """The list of an encoded text. Raises :class:`ListRefused`: list_encoding, list_too_large."""
    if not text.startswith("u"):
        _refuse("list_encoding", "编码列表应以 u 开头（base64url）", "an encoded list begins with u (base64url)")
    try:
        packed = from_base64url(text[1:])
        unpacker = zlib.decompressobj(wbits=31)
        bits = unpacker.decompress(packed, MAX_BYTES + 1)
    except (ValueError, zlib.error) as error:
        _refuse("list_encoding", "编码列表不是 gzip 的 base64url", f"an encoded list is base64url of gzip: {error}")
    if len(bits) > MAX_BYTES:
        _refuse("list_too_large", f"解压后超过 {MAX_BYTES} 字节", f"unpacks to more than {MAX_BYTES} bytes")
    if not unpacker.eof or unpacker.unused_data:
        _refuse(
            "list_encoding",
            "压缩数据不完整或有多余内容",
            "the gzip data is cut short or goes on behind its end",
        )
    return bits


def document(
    url: str, issuer: str, purpose: Purpose, bits: bytes | bytearray, *, valid_from: datetime, valid_until: datetime
) -> dict[str, Any]:
    """The status list credential at ``url``, not yet signed."""
    return {
        "@context": [CONTEXT],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": text_of(valid_from),
        "validUntil": text_of(valid_until),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "ttl": TTL,
            "encodedList": encode(bits),
        },
    }


def credential(
    url: str,
    issuer: str,
    purpose: Purpose,
    bits: bytes | bytearray,
    signer: Signer,
    *,
    valid_from: datetime,
    valid_until: datetime,
) -> bytes:
    """The signed status list credential, as served; signed ``valid_from`` on."""
    unsigned = document(url, issuer, purpose, bits, valid_from=valid_from, valid_until=valid_until)
    return canonical(add_proof(unsigned, signer, valid_from))


def entry(url: str, purpose: Purpose, index: int, messages: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """The ``credentialStatus`` of a credential at ``index`` of the list at ``url``.

    ``messages``: what the values of a list with more than one bit mean.
    """
    status: dict[str, Any] = {
        "id": f"{url}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": url,
    }
    size = SIZES[purpose]
    if size > 1:
        known = {one["status"] for one in messages}
        rest = [one for one in (f"{value:#x}" for value in range(1 << size)) if one not in known]
        status["statusSize"] = size
        status["statusMessage"] = [*messages, *({"status": one, "message": UNUSED} for one in rest)]
    return status


def _refuse(code: str, zh: str, en: str) -> NoReturn:
    raise ListRefused(code, zh, en)
