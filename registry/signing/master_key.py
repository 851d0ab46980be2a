"""The master key: private keys lie in the database sealed with it, and it lies elsewhere.

AES-256-GCM; what is sealed is bound to its place (the ``context``), so that sealed keys cannot be exchanged for each
other in the database.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
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
            raise wrong(context)
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], context.encode())
        except InvalidTag:
            raise wrong(context) from None


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


def wrong(what: str, *, expected: str = "", got: str = "") -> MasterKeyWrong:
    """The error for something sealed that this master key does not open; the ids tell one key from another."""
    ids_zh = f"（库中为 {expected}，给出的是 {got}）" if expected else ""
    ids_en = f" (the registry's is {expected}, the given one {got})" if expected else ""
    return MasterKeyWrong(
        f"主密钥与登记库不符，无法解开 {what}{ids_zh}，请给出建立该密钥时所用的主密钥或其备份。",
        f"The master key is not the registry's{ids_en}, so {what} cannot be unsealed: give the one that was in use "
        "when it was made, or its backup.",
    )


def _malformed(zh: str, en: str) -> MasterKeyMalformed:
    return MasterKeyMalformed(
        f"主密钥应为 32 字节的 base64，{zh}，请用 `openssl rand -base64 32` 生成，或从备份恢复。",
        f"The master key must be the base64 of 32 bytes, but {en}: make one with `openssl rand -base64 32`, or restore "
        "it from its backup.",
    )
