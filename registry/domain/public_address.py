"""The address by which the world reaches this hub: part of everything that is signed."""

from __future__ import annotations

from urllib.parse import urlsplit

EXPECTED = "https://host[:port][/path]; http only for this machine itself"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def parse(text: str) -> str:
    """The address without a slash at its end. Raises ValueError of anything but :data:`EXPECTED`."""
    address = urlsplit(text)
    encrypted = address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK)
    if not encrypted or not address.hostname or address.query or address.fragment or address.username is not None:
        raise ValueError(f"expected {EXPECTED}")
    return text.rstrip("/")
