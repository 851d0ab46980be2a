"""The port of signatures: what signs for an issuer, whichever algorithm and wherever the key lies.

Two implementations: P-256 (:mod:`registry.signing.p256`, what every form of a licence carries) and SM2 with SM3
(:mod:`registry.signing.sm2`, a second, detached signature where state cryptography is asked for).
"""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Signs bytes with one key."""

    @property
    def key_id(self) -> str:
        """The key's own id at this hub: the last part of its verification method."""

    @property
    def verification_method(self) -> str:
        """``did:web:...#key-id``."""

    @property
    def algorithm(self) -> str:
        """``ES256`` or ``SM2-SM3``."""

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data`` (hashed inside): for P-256 the 64 bytes r || s."""
