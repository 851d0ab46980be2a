"""Clients' secrets: 256 random bits, kept only as scrypt hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1


def new_secret() -> str:
    """A secret to be shown once."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """``scrypt$cost$block$parallel$salt$digest``."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(secret, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def secret_matches(secret: str, secret_hash: str) -> bool:
    """Whether a secret is the one that was hashed, in constant time."""
    _, cost, block, parallel, salt, digest = secret_hash.split("$")
    found = _scrypt(secret, base64.b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _scrypt(secret: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=64 << 20, dklen=32)
