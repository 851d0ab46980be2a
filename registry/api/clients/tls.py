"""HTTPS without a proxy: the connection's certificate reaches the application in its scope.

A certificate is asked for and need not be shown. One that is shown must stand under the authorities of the settings, or
be one of them itself: OpenSSL ends any other connection, so a self-signed certificate belongs into their file too.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from registry.api.clients.options import AccessOptions
from registry.api.protocol import BoundedProtocol


class CertificateProtocol(BoundedProtocol):
    """The usual one, with ``extensions.tls.client_certificate`` (DER) in the scope."""

    _shown: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Once for a connection: nothing is done for each request but putting it there."""
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        self._shown = connection.getpeercert(binary_form=True) if connection is not None else None

    def on_message_begin(self) -> None:
        """A request of this connection begins."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": {"client_certificate": self._shown}}


def server_settings(options: AccessOptions) -> dict[str, Any]:
    """What uvicorn has to know of the protocol."""
    if options.tls is None:
        return {"http": BoundedProtocol}
    found: dict[str, Any] = {
        "ssl_certfile": options.tls.certificate,
        "ssl_keyfile": options.tls.key,
        "http": CertificateProtocol,
    }
    if options.client_authorities is not None:
        found |= {"ssl_ca_certs": options.client_authorities, "ssl_cert_reqs": ssl.CERT_OPTIONAL}
    return found
