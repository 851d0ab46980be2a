"""What a request comes with beside its text: the address of whoever asks, and the certificate of the connection.

Behind a proxy both come in headers, which are believed only from the addresses that the settings name.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from cryptography import x509
from starlette.types import Scope

from registry.api.clients import certificates
from registry.api.clients.certificates import CertificateError
from registry.api.clients.options import AccessOptions

UNKNOWN = "unknown"
"""Stands for an address where a connection has none."""
_log = logging.getLogger(__name__)


class Presented:
    """Reads addresses and certificates off requests. Raises CertificateError of an unusable file of authorities."""

    def __init__(self, options: AccessOptions) -> None:
        self._proxies = options.trusted_proxies
        self._header = options.certificate_header.lower().encode()
        path = options.client_authorities
        self.authorities: Sequence[x509.Certificate] = certificates.authorities(path) if path else ()
        """Who may issue clients' certificates."""

    def address(self, scope: Scope) -> str:
        """Who asks: the connection's address, or the last one that trusted proxies passed on."""
        here: str = scope["client"][0] if scope.get("client") else UNKNOWN
        if not self._is_proxy(here):
            return here
        forwarded = ",".join(
            value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"
        ).split(",")
        for each in reversed([text.strip() for text in forwarded if text.strip()]):
            if not self._is_proxy(each):
                return each if _is_address(each) else here
            here = each
        return here

    def neighbourhood(self, scope: Scope) -> str:
        """Whom limits count as one: an IPv4 address, the 64 bits of an IPv6 address that one customer has."""
        text = self.address(scope)
        if not _is_address(text):
            return text
        address = ip_address(text)
        if not isinstance(address, IPv6Address):
            return text
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((address, 64), strict=False))

    def certificate(self, scope: Scope) -> bytes | None:
        """The certificate (DER) whose private key the other end has; None where it showed none."""
        shown: bytes | None = scope.get("extensions", {}).get("tls", {}).get("client_certificate")
        if shown is not None or not self._header:
            return shown
        if not self._is_proxy(scope["client"][0] if scope.get("client") else UNKNOWN):
            return None
        given = [value for name, value in scope["headers"] if name == self._header and value]
        if len(given) != 1:
            return None
        try:
            return certificates.from_header(given[0].decode("latin-1"))
        except CertificateError as error:
            _log.warning("a proxy passed a certificate on that cannot be read: %s", error)
            return None

    def thumbprint(self, scope: Scope) -> str | None:
        """``x5t#S256`` of that certificate."""
        der = self.certificate(scope)
        return None if der is None else certificates.thumbprint(der)

    def _is_proxy(self, text: str) -> bool:
        if not self._proxies or not _is_address(text):
            return False
        address = ip_address(text)
        return any(address in network for network in self._proxies)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
