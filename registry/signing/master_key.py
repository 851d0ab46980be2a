"""The master key: private keys lie in the database sealed with it, and it lies elsewhere.

AES-256-GCM; what is sealed is bound to its place (the ``context``), so that sealed keys cannot be exchanged for each
other in the database.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LENGTH = 32  # bytes
_NONCE = 12  # bytes
_FORM = b"\x01"
"""First byte of everything sealed: should the way of sealing ever change."""


class MasterKeyError(Exception):
    """There is no usable master key; ``zh`` and ``en`` say what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.zh, self.en = zh, en


class MasterKeyMissing(MasterKeyError):  # noqa: N818
    """Nobody has given a master key."""


class MasterKeyMalformed(MasterKeyError):  # noqa: N818
    """What was given is not the base64 of 32 bytes."""


class MasterKeyWrong(MasterKeyError):  # noqa: N818
    """What was sealed was sealed with another master key, or has been changed since."""


class MasterKey:
    """Seals and unseals small secrets."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        """Raises MasterKeyMalformed unless ``key`` has 32 bytes."""
        if len(key) != LENGTH:
            raise _malformed(f"得到 {len(key)} 字节", f"it has {len(key)} bytes")
        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"shuqiao master key\0" + key).hexdigest()[:16]
        """Tells one master key from another, and nothing else of it."""

    def __repr__(self) -> str:
        return f"MasterKey(id={self.id!r})"

    def __reduce__(self) -> str:
        raise TypeError("a master key is not written out")

    def seal(self, plain: bytes, context: str) -> bytes:
        """``plain``, readable only with this key and in the same ``context``."""
        nonce = secrets.token_bytes(_NONCE)
        return _FORM + nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """What was sealed. Raises MasterKeyWrong."""
        if sealed[:1] != _FORM or len(sealed) <= len(_FORM) + _NONCE:
            raise _damaged(context)
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], context.encode())
        except InvalidTag:
            raise _damaged(context) from None


def generate() -> str:
    """A new master key as text: base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(LENGTH)).decode()


def from_text(text: str) -> MasterKey:
    """The key written as base64, with or without ``=`` and line end. Raises MasterKeyMalformed, without the text."""
    letters = text.strip().translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        key = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("无法按 base64 读取", "it cannot be read as base64") from None
    return MasterKey(key)


def from_file(path: Path) -> MasterKey:
    """The key in a file. Raises MasterKeyMissing, MasterKeyMalformed."""
    try:
        text = path.read_text("ascii")
    except UnicodeDecodeError:
        raise _malformed("无法按 base64 读取", "it cannot be read as base64") from None
    except OSError as error:
        raise MasterKeyMissing(
            f"主密钥文件 {path} 无法读取（{error.strerror}），请检查 SHUQIAO_MASTER_KEY_FILE 及文件权限。",
            f"The master key's file {path} cannot be read ({error.strerror}): check SHUQIAO_MASTER_KEY_FILE and the "
            "file's owner.",
        ) from None
    return from_text(text)


def from_environment(given: Mapping[str, str]) -> MasterKey | None:
    """The key as ``SHUQIAO_MASTER_KEY``, or in the file of ``SHUQIAO_MASTER_KEY_FILE``; None if neither is set.

    Raises MasterKeyMissing, MasterKeyMalformed.
    """
    if text := given.get("SHUQIAO_MASTER_KEY"):
        return from_text(text)
    if path := given.get("SHUQIAO_MASTER_KEY_FILE"):
        return from_file(Path(path))
    return None


def other_key(*, expected: str, got: str) -> MasterKeyWrong:
    """The error for something sealed with another master key; ids tell one from another."""
    return MasterKeyWrong(
        f"主密钥与登记库不符（库中密钥由 {expected} 封存，给出的是 {got}），请给出当时所用的主密钥或其备份。",
        f"This is not the registry's master key (its keys are sealed with {expected}, the given one is {got}): give "
        "the one that was in use then, or its backup.",
    )


def _damaged(context: str) -> MasterKeyWrong:
    return MasterKeyWrong(
        f"{context} 无法解开：主密钥不符或数据已损坏，请给出正确的主密钥，或从备份恢复数据库。",
        f"{context} cannot be unsealed: give the right master key, or, if it is the right one, restore the database "
        "from its backup.",
    )


def _malformed(zh: str, en: str) -> MasterKeyMalformed:
    return MasterKeyMalformed(
        f"主密钥应为 32 字节的 base64，{zh}，请用 `openssl rand -base64 32` 生成，或从备份恢复。",
        f"The master key must be the base64 of 32 bytes, but {en}: make one with `openssl rand -base64 32`, or restore "
        "it from its backup.",
    )
