"""What the API needs to know about how clients prove who they are, read from the environment once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from registry.api.clients import certificates
from registry.api.clients.certificates import CertificateError

VARIABLES = (
    "SHUQIAO_TRUSTED_PROXIES",
    "SHUQIAO_CLIENT_CERTIFICATE_HEADER",
    "SHUQIAO_CLIENT_CA",
    "SHUQIAO_TLS_CERTIFICATE",
    "SHUQIAO_TLS_KEY",
    "SHUQIAO_TRUSTED_ISSUER",
    "SHUQIAO_TRUSTED_AUDIENCE",
    "SHUQIAO_TRUSTED_CLIENT_CLAIM",
    "SHUQIAO_CLIENT_REQUESTS_PER_SECOND",
)
"""Every variable that is read here."""
REQUESTS_PER_SECOND = 3000
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")

Network = IPv4Network | IPv6Network


class OptionError(ValueError):
    """A setting of this part is wrong; the text names it and says what is expected."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Serving HTTPS without a proxy, with clients' certificates asked for."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ExternalIssuer:
    """Somebody else's issuer of tokens (OpenID Connect) that is believed."""

    issuer: str
    audience: str
    """What its tokens must be meant for."""
    client_claim: str = "client_id"
    """The claim that names the client."""


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Every setting of this part."""

    trusted_proxies: tuple[Network, ...] = ()
    """Whose ``X-Forwarded-For`` and certificate header are believed; from anyone else they are ignored."""
    certificate_header: str = ""
    """In which the proxy passes a client's certificate on; the proxy must take it away from what clients send."""
    client_authorities: Path | None = None
    """Certificates (PEM) of the authorities that may issue clients' certificates."""
    tls: Tls | None = None
    external_issuer: ExternalIssuer | None = None
    requests_per_second: int = REQUESTS_PER_SECOND
    """Of one client at each process of the API, where the client has no limit of its own."""

    @property
    def sees_certificates(self) -> bool:
        """Whether a client's certificate can reach this API at all."""
        by_connection = self.tls is not None and self.client_authorities is not None
        return by_connection or bool(self.certificate_header and self.trusted_proxies)


def from_environment(given: Mapping[str, str]) -> AccessOptions:
    """The settings in an environment. Raises OptionError."""
    header = given.get("SHUQIAO_CLIENT_CERTIFICATE_HEADER", "")
    if header and not _HEADER.fullmatch(header):
        raise OptionError(f"SHUQIAO_CLIENT_CERTIFICATE_HEADER cannot be {header!r}; expected a header's name")
    authorities = given.get("SHUQIAO_CLIENT_CA", "")
    rate = given.get("SHUQIAO_CLIENT_REQUESTS_PER_SECOND") or str(REQUESTS_PER_SECOND)
    if not rate.isdecimal() or int(rate) < 1:
        raise OptionError(f"SHUQIAO_CLIENT_REQUESTS_PER_SECOND cannot be {rate!r}; expected a number of at least 1")
    return AccessOptions(
        trusted_proxies=_networks(given.get("SHUQIAO_TRUSTED_PROXIES", "")),
        certificate_header=header,
        client_authorities=_authorities(authorities) if authorities else None,
        tls=_tls(given),
        external_issuer=_external_issuer(given),
        requests_per_second=int(rate),
    )


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise OptionError(
            f"SHUQIAO_TRUSTED_PROXIES cannot be {text!r}: {error}; expected addresses or networks between commas"
        ) from None


def _tls(given: Mapping[str, str]) -> Tls | None:
    certificate, key = given.get("SHUQIAO_TLS_CERTIFICATE", ""), given.get("SHUQIAO_TLS_KEY", "")
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise OptionError("SHUQIAO_TLS_CERTIFICATE and SHUQIAO_TLS_KEY go together; one of them is not set")
    return Tls(_file("SHUQIAO_TLS_CERTIFICATE", certificate), _file("SHUQIAO_TLS_KEY", key))


def _external_issuer(given: Mapping[str, str]) -> ExternalIssuer | None:
    issuer, audience = given.get("SHUQIAO_TRUSTED_ISSUER", ""), given.get("SHUQIAO_TRUSTED_AUDIENCE", "")
    if not issuer:
        return None
    address = urlsplit(issuer)
    secure = address.scheme == "https" or (address.scheme == "http" and address.hostname in LOOPBACK)
    if not secure or not address.hostname or address.query or address.fragment:
        raise OptionError(
            f"SHUQIAO_TRUSTED_ISSUER cannot be {issuer!r}; expected its https address, as its tokens name it"
        )
    if not audience:
        raise OptionError("SHUQIAO_TRUSTED_AUDIENCE is not set; expected what the issuer's tokens for this hub name")
    claim = given.get("SHUQIAO_TRUSTED_CLIENT_CLAIM") or ExternalIssuer.__dataclass_fields__["client_claim"].default
    return ExternalIssuer(issuer, audience, str(claim))


def _authorities(text: str) -> Path:
    path = _file("SHUQIAO_CLIENT_CA", text)
    try:
        certificates.authorities(path)
    except CertificateError as error:
        raise OptionError(f"SHUQIAO_CLIENT_CA: {error}") from None
    return path


def _file(name: str, text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise OptionError(f"{name} names {text!r}, which is no file")
    return path
