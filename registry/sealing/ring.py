"""The ring of keys that personal values are sealed with: AES-256-GCM, each key with a number, one of them active.

The number stands in what is sealed, so that values of several keys can lie side by side while a rotation goes on. What
is sealed is bound to its place (the *context*): it opens nowhere else. Two more keys do not rotate, because what they
make must stay comparable: one for the digest of a record's content, one for the blind index.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.sealing.errors import PersonalKeyUnknown, PersonalValuesDamaged

LENGTH = 32  # bytes of each key
NONCE = 12  # bytes, random: one key may seal 2**32 values (NIST SP 800-38D, 8.3), then a new one is due
_NONCES = 256  # drawn at once
HEAD = 3  # bytes before the nonce: form, number of the key
DIGEST = 16  # bytes

RECORD = 1
"""Form: the personal values of a record."""
ROW = 2
"""Form: a refused row as the department sent it."""
DOCUMENT = 3
"""Form: a document, or the content of one."""


class Ring:
    """Seals and opens; knows every key that is not retired."""

    __slots__ = ("_ciphers", "_content", "_index", "active")

    def __init__(self, keys: Mapping[int, bytes], active: int, *, content_key: bytes, index_key: bytes) -> None:
        """``keys`` by number; ``active`` is one of them."""
        self._ciphers = {number: AESGCM(key) for number, key in keys.items()}
        self.active = active
        """The number of the key that seals from now on."""
        self._content = blake2b(digest_size=DIGEST, key=content_key)
        self._index = blake2b(digest_size=DIGEST, key=index_key)

    def __repr__(self) -> str:
        return f"Ring(active={self.active}, keys={sorted(self._ciphers)})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not written out")

    def head(self, form: int, number: int | None = None) -> bytes:
        """What everything begins with that is sealed in this form by the active key, or another."""
        return bytes((form,)) + (self.active if number is None else number).to_bytes(2, "big")

    def seal(self, form: int, plain: bytes, context: bytes) -> bytes:
        """``plain``, to be opened with the active key and in the same ``context`` only."""
        nonce = os.urandom(NONCE)
        return self.head(form) + nonce + self._ciphers[self.active].encrypt(nonce, plain, bytes((form,)) + context)

    def sealing(self, form: int) -> Callable[[bytes, bytes], bytes]:
        """:meth:`seal` for many values of one form, a few microseconds each."""
        head, kind, encrypt = self.head(form), bytes((form,)), self._ciphers[self.active].encrypt
        nonces, place = b"", 0

        def seal(plain: bytes, context: bytes) -> bytes:
            nonlocal nonces, place
            if place == len(nonces):
                nonces, place = os.urandom(NONCE * _NONCES), 0
            nonce = nonces[place : place + NONCE]
            place += NONCE
            return head + nonce + encrypt(nonce, plain, kind + context)

        return seal

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed. Raises PersonalKeyUnknown, PersonalValuesDamaged."""
        if len(sealed) < HEAD + NONCE:
            raise _damaged()
        number = int.from_bytes(sealed[1:HEAD], "big")
        cipher = self._ciphers.get(number)
        if cipher is None:
            raise PersonalKeyUnknown(
                f"个人信息由密钥 {number} 加密，密钥环中没有该密钥，请从备份恢复密钥环文件。",
                f"Personal values are sealed with key {number}, which the ring does not have: restore the ring's file.",
            )
        try:
            return cipher.decrypt(sealed[HEAD : HEAD + NONCE], sealed[HEAD + NONCE :], sealed[:1] + context)
        except InvalidTag:
            raise _damaged() from None

    def content_digest(self, content: bytes, more: bytes = b"") -> str:
        """A digest (32 hexadecimal digits) that tells change, and that nobody without the ring can guess from."""
        digest = self._content.copy()
        digest.update(content)
        digest.update(more)
        return digest.hexdigest()

    def blind(self, purpose: str, value: str) -> str:
        """A value for exact look-up, 32 hexadecimal digits: the same for the same purpose and value, for ever."""
        digest = self._index.copy()
        digest.update(purpose.encode() + b"\0" + value.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def number_of(sealed: Any) -> int:
    """The number of the key that something is sealed with."""
    return int.from_bytes(bytes(sealed[1:HEAD]), "big")


def _damaged() -> PersonalValuesDamaged:
    return PersonalValuesDamaged(
        "已加密的个人信息无法解开：内容被改动，或被移到别处，请从备份恢复。",
        "Sealed personal values cannot be opened: they were changed, or moved from where they belong. Restore them "
        "from the backup.",
    )
