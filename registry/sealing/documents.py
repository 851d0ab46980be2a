"""What is no record and holds personal values all the same: sealed as a whole, bound to its kind and its place."""

from __future__ import annotations

from registry.sealing import key_file
from registry.sealing.ring import DOCUMENT


def sealed_document(kind: str, identity: str, plain: bytes) -> bytes:
    """A document, to be opened as this kind and in this place only. Raises PersonalKeysError."""
    return key_file.ring().seal(DOCUMENT, plain, context_of(kind, identity))


def opened_document(kind: str, identity: str, sealed: bytes) -> bytes:
    """What was sealed. Raises PersonalKeysError."""
    return key_file.ring().open(bytes(sealed), context_of(kind, identity))


def context_of(kind: str, identity: str) -> bytes:
    """What a document is bound to."""
    return f"{kind}\0{identity}".encode("utf-8", "surrogatepass")
